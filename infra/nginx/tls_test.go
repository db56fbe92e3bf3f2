package nginx

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/infra/program"
)

// borrowCertificate writes a certificate for 127.0.0.1, that of Go's own test server, and returns a pool that trusts it.
func borrowCertificate(t *testing.T, gateway *Gateway) *x509.CertPool {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(gateway.Prefix, name)
		if err := gateway.Account.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gateway.TLS = TLS{Listen: freeAddress(t), Certificate: write("crt", "CERTIFICATE", server.Certificate().Raw), Key: write("key", "PRIVATE KEY", key)}
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

func TestTLSAndHTTP2(t *testing.T) {
	var trusted *x509.CertPool
	rig := start(t, func(gateway *Gateway) { trusted = borrowCertificate(t, gateway) })
	secure := "https://" + rig.gateway.TLS.Listen
	transport := func(versions ...uint16) *http.Transport {
		config := &tls.Config{RootCAs: trusted}
		if len(versions) > 0 {
			config.MinVersion, config.MaxVersion = versions[0], versions[0]
		}
		return &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	}
	rig.fill("/products/1", "Accept-Encoding", "gzip")
	client := http.Client{Transport: transport()}
	defer client.CloseIdleConnections()
	for range 3 {
		response, err := client.Get(secure + "/api/products/1")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.Proto != "HTTP/2.0" || response.StatusCode != http.StatusOK || response.Header.Get("X-Cache") != "HIT" || response.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s %d, X-Cache %q, TLS %x", response.Proto, response.StatusCode, response.Header.Get("X-Cache"), response.TLS.Version)
		}
	}
	rig.wantCache(rig.sendTo(secure, transport(tls.VersionTLS12), http.MethodGet, "/products/1", nil, "Accept-Encoding", "gzip"), "HIT")
	old := http.Client{Transport: transport(tls.VersionTLS11)}
	if _, err := old.Get(secure + "/products/1"); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
	wantProblem(t, rig.sendTo("http://"+rig.gateway.TLS.Listen, &http.Transport{}, http.MethodGet, "/products/1", nil), http.StatusBadRequest)
	// Too large a header ends the connection: later headers may refer to its entries in the compression table.
	request, err := http.NewRequest(http.MethodGet, secure+"/products/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("{", 9000))
	if response, err := client.Do(request); err == nil || !strings.Contains(err.Error(), "ENHANCE_YOUR_CALM") {
		t.Errorf("a header of 9000 bytes: %v, %v", response, err)
	}
}

func TestHTTP2Directives(t *testing.T) {
	for _, test := range []struct {
		version program.Version
		want    string
	}{
		{program.Version{Major: 1, Minor: 22, Patch: 1}, "listen a:1 ssl http2; ssl_certificate \"c\"; ssl_certificate_key \"k\";"},
		{program.Version{Major: 1, Minor: 25, Patch: 0}, "listen a:1 ssl http2; ssl_certificate \"c\"; ssl_certificate_key \"k\";"},
		{program.Version{Major: 1, Minor: 25, Patch: 1}, "listen a:1 ssl; http2 on; ssl_certificate \"c\"; ssl_certificate_key \"k\";"},
	} {
		gateway := Gateway{NGINX: program.NGINX{Version: test.version}, TLS: TLS{"a:1", "c", "k"}}
		if got := gateway.values()["TLS"]; got != test.want {
			t.Errorf("NGINX %s: %q, want %q", test.version, got, test.want)
		}
	}
	if got := (Gateway{}).values()["TLS"]; got != "" {
		t.Errorf("without TLS: %q", got)
	}
}

func TestHSTSOverTLSOnly(t *testing.T) {
	for _, configured := range []string{"max-age=31536000; includeSubDomains", ""} {
		var trusted *x509.CertPool
		rig := start(t, func(gateway *Gateway) {
			trusted = borrowCertificate(t, gateway)
			gateway.HSTS = configured
		})
		rig.fill("/products/1")
		check := func(what string, got answer, want string) {
			t.Helper()
			if value := strings.Join(got.header.Values("Strict-Transport-Security"), " and "); value != want {
				t.Errorf("configured %q, %s: Strict-Transport-Security %q, want %q", configured, what, value, want)
			}
		}
		for path, method := range map[string]string{"/products/1": http.MethodGet, "/products/2": http.MethodGet, "/item/1": http.MethodHead, "/missing/1": http.MethodGet, "/products": http.MethodPost} {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true}
			check("TLS "+path, rig.sendTo("https://"+rig.gateway.TLS.Listen, transport, method, path, nil), configured)
			check("plain "+path, rig.send(method, path, nil), "")
		}
	}
}
