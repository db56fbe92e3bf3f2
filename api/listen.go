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

// retirePause is what a unix socket's last clients get between its name's end and its own. It has to
// cover the accept loop's being scheduled, on a machine that is busy.
const retirePause = 50 * time.Millisecond

// listenAll listens on every address, or on none.
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

// listen listens on host:port or on unix:/path. A socket that a process left behind when it died is replaced; one that is
// in use is not. Everybody on the machine may connect to a unix socket: whom its directory lets in is up to that.
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

// removeStale removes the socket at path if there is one and nobody answers on it.
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

// retire takes unix sockets out of the file system while they are still served. A client that came before finds
// its connection accepted, and one that comes after finds no socket, so none is caught in the queue of a socket that closes.
// TCP has no such means: there, clients have been asked to leave.
func retire(listeners []net.Listener) {
	retired := false
	for _, listener := range listeners {
		if socket, ok := listener.(*net.UnixListener); ok {
			// Closing it must not remove its successor's name.
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
