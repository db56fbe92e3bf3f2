package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

const unixPrefix = "unix:"

// retirePause is the time between the removal of a unix socket's file and the closing of the socket. In this time the accept loop must run,
// even on a busy machine, to accept the last clients.
const retirePause = 50 * time.Millisecond

// listenAll listens on all addresses, or on none.
func listenAll(addresses []string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range addresses {
		listener, err := listen(address)
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close()
	}
}

// listen listens on host:port or unix:/path. It replaces the socket file of a process that has died, and not one that is in use. Any user
// may connect to a unix socket, unless its directory prevents it.
func listen(address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, unixPrefix)
	if !unix && strings.ContainsAny(address, "@/") {
		return nil, errors.New("a listen address is host:port or unix:/path, not a URL. It is not shown because it may contain a password")
	}
	if !unix {
		listener, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("listen on %s: the port is in use; stop the process that uses it or choose another port", address)
		}
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w (a listen address is host:port or unix:/path)", address, err)
		}
		return listener, nil
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// removeStale removes the socket file at path if there is one and no process listens on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("the file exists and is not a socket; remove it or choose another path")
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return errors.New("another process is listening; stop it or choose another path")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// retire removes the files of unix sockets while they are still served. A client that connected before is accepted, and a later one finds
// no socket, so no client is lost in the backlog of a closing socket. TCP has no equivalent: there, responses have sent Connection: close.
func retire(listeners []net.Listener) {
	retired := false
	for _, listener := range listeners {
		if socket, ok := listener.(*net.UnixListener); ok {
			// Closing the socket must not remove the file of a successor.
			socket.SetUnlinkOnClose(false)
			_ = os.Remove(socket.Addr().String())
			retired = true
		}
	}
	if retired {
		time.Sleep(retirePause)
	}
}

// address is the inverse of listen.
func address(listener net.Listener) string {
	if listener.Addr().Network() == "unix" {
		return unixPrefix + listener.Addr().String()
	}
	return listener.Addr().String()
}
