package admin

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// anyName are the addresses that answer under every host name. Probes and Prometheus ask for them under names that
// only the cluster knows, such as that of a service, and the answers hold counters and no data.
var anyName = map[string]bool{"/live": true, "/ready": true, "/metrics": true}

// wrongHost is the answer to a request for a name that is none of this server's.
const wrongHost = "unknown host name: use the server's IP address, or start the server with --admin-host NAME"

// checkHost lets next answer only requests whose Host header is a name of this machine. Otherwise a web page that an operator visits
// could read the answers: its domain's address can be changed to this server's at any time, and the browser would see one origin (DNS
// rebinding).
//
// An IP address is always accepted, because a browser that was sent there has not asked for a name, and so are localhost, the
// machine's own name, and names. What comes over a unix socket comes from no browser.
func checkHost(next http.Handler, names []string) http.Handler {
	accepted := map[string]bool{"": true, "localhost": true} // HTTP/1.0 has no Host, and no browser speaks it
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
	if err != nil { // there is no port
		host = strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
