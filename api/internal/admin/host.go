package admin

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// anyName holds the paths that accept any host name. Probes and Prometheus use names that only the cluster knows, such as that of a
// service, and the responses contain no data.
var anyName = map[string]bool{"/live": true, "/ready": true, "/metrics": true}

// wrongHost is the error for a request with an unknown host name.
const wrongHost = "unknown host name: use the server's IP address, or start the server with --admin-host NAME"

// checkHost returns a handler that passes on to next only requests whose Host header is a name of this machine. Otherwise a web page in an
// operator's browser could read the responses: its domain can be changed to resolve to this server, and the browser would consider both as
// one origin (DNS rebinding).
//
// It always accepts IP addresses, which involve no DNS, localhost, the machine's name, and names. Requests over a unix socket do not come
// from a browser.
func checkHost(next http.Handler, names []string) http.Handler {
	accepted := map[string]bool{"": true, "localhost": true} // HTTP/1.0 has no Host, and browsers do not use it
	if name, err := os.Hostname(); err == nil {
		accepted[canonicalHost(name)] = true
	}
	for _, name := range names {
		accepted[canonicalHost(name)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !anyName[r.URL.Path] && !overSocket(r) {
			host := canonicalHost(r.Host)
			_, noAddress := netip.ParseAddr(host)
			if noAddress != nil && !accepted[host] && !strings.HasSuffix(host, ".localhost") {
				answer(w, http.StatusMisdirectedRequest, map[string]any{"error": wrongHost})
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func overSocket(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

// canonicalHost returns the host of HOST or HOST:PORT in lower case, without the brackets of an IPv6 address and the final dot of a name.
func canonicalHost(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil { // no port
		host = strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
