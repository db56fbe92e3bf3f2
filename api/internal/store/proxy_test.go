package store

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy is a TCP proxy between a store and Postgres that can stall, cut connections and stop, like a network.
type proxy struct {
	t      testing.TB
	target string // host:port of Postgres

	mutex    sync.Mutex
	address  string
	listener net.Listener
	stalled  chan struct{} // closed when bytes flow again
	conns    map[net.Conn]struct{}
	accepted int
}

// newProxy returns a proxy that listens, and databaseURL with the proxy's address in it.
func newProxy(t testing.TB, databaseURL string) (*proxy, string) {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, target: parsed.Host, address: "127.0.0.1:0", conns: make(map[net.Conn]struct{}), stalled: make(chan struct{})}
	close(p.stalled)
	p.up()
	parsed.Host = p.address
	t.Cleanup(func() {
		p.resume()
		p.down()
	})
	return p, parsed.String()
}

// up listens, on the same address each time.
func (p *proxy) up() {
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatalf("listen for the proxy: %v", err)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.listener, p.address = listener, listener.Addr().String()
	go p.accept(listener)
}

// down refuses new connections and cuts the existing ones.
func (p *proxy) down() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_ = p.listener.Close()
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}

// stall lets no byte through, in either direction, until resume.
func (p *proxy) stall() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.stalled = make(chan struct{})
}

func (p *proxy) resume() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	select {
	case <-p.stalled:
	default:
		close(p.stalled)
	}
}

// connections returns the total number of accepted connections.
func (p *proxy) connections() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.accepted
}

func (p *proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mutex.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.accepted++
		p.mutex.Unlock()
		go p.copy(server, client)
		go p.copy(client, server)
	}
}

func (p *proxy) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mutex.Lock()
		stalled := p.stalled
		p.mutex.Unlock()
		<-stalled
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
