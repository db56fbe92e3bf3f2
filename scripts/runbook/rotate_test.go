package runbook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/nginx"
	"systemscale/infra/port/porttest"
	"systemscale/sql/testdb"
)

// TestRotatePasswords changes the passwords of both roles under load.
func TestRotatePasswords(t *testing.T) {
	server := testdb.NewServer(t)
	database := server.New()
	s := newSite(t)
	s.publish(database.ETL, 1)
	a, b := s.instance(database.API), s.instance(database.API)
	l := newLoad(t, s.gateway(a, b), 1, 2)
	l.more(200)

	changed := testdb.Database{ETL: withPassword(t, server, database.ETL, "new-etl"), API: withPassword(t, server, database.API, "new-api")}
	// The open connections stay, so nothing fails before the instances have the new password.
	l.more(200)
	if out := s.etl(4, database.ETL, "history", "--collection", "things"); !strings.Contains(out, "password authentication failed") {
		t.Errorf("with the old password: %s", out)
	}
	step(t, "restart both instances", func() { s.roll(changed.API) })
	s.publish(changed.ETL, 2)
	s.serves(2)
	l.more(200)
	l.stop()
}

// withPassword changes the password of the role of a URL, and returns the URL with the new one.
func withPassword(t *testing.T, server *testdb.Server, databaseURL, password string) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	name := parsed.User.Username()
	server.Exec("alter role " + pgx.Identifier{name}.Sanitize() + " password '" + password + "'")
	parsed.User = url.UserPassword(name, password)
	return parsed.String()
}

// certificate is a self-signed certificate for 127.0.0.1, with its key, in PEM.
type certificate struct{ certificate, key []byte }

func newCertificate(t *testing.T, serial int64) certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "runbook"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// TestRotateCertificates replaces the certificate of PostgreSQL, which the API verifies, and that of the gateway under load.
func TestRotateCertificates(t *testing.T) {
	t.Parallel()
	old, next := newCertificate(t, 1), newCertificate(t, 2)
	directory := testdb.Directory(t)
	install := func(c certificate) {
		t.Helper()
		for name, text := range map[string][]byte{"server.crt": c.certificate, "server.key": c.key} {
			command := testdb.AsServer(t, directory, "sh", "-c", `umask 077; cat > "$0.new" && mv "$0.new" "$0"`, filepath.Join(directory, name))
			command.Stdin = strings.NewReader(string(text))
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	install(old)
	server := testdb.NewServer(t, "ssl = on", "ssl_cert_file = '"+directory+"/server.crt'", "ssl_key_file = '"+directory+"/server.key'")
	database := server.New()
	s := newSite(t)
	trusted := filepath.Join(s.directory, "trusted.pem")
	trust := func(certificates ...certificate) {
		t.Helper()
		var text []byte
		for _, c := range certificates {
			text = append(text, c.certificate...)
		}
		if err := os.WriteFile(trusted, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(old)
	verified := func(databaseURL string) string {
		return strings.Replace(databaseURL, "sslmode=disable", "sslmode=verify-full&sslrootcert="+url.QueryEscape(trusted), 1)
	}
	s.publish(verified(database.ETL), 1)
	a, b := s.instance(verified(database.API)), s.instance(verified(database.API))
	g := s.gateway(a, b)
	l := newLoad(t, g, 1, 2)
	l.more(200)

	// PostgreSQL: trust both, replace the certificate, trust the new one only.
	trust(old, next)
	s.roll(verified(database.API))
	install(next)
	server.Exec("select pg_reload_conf()")
	eventually(t, "PostgreSQL has the new certificate", func() bool { return serialOfDatabase(t, verified(database.API)) == 2 })
	trust(next)
	s.roll(verified(database.API))
	s.publish(verified(database.ETL), 2)
	s.serves(2)
	l.more(200)

	// The gateway.
	files := nginx.TLS{Listen: porttest.Address(t), Certificate: filepath.Join(g.Prefix, "crt"), Key: filepath.Join(g.Prefix, "key")}
	serve := func(c certificate) {
		t.Helper()
		for path, text := range map[string][]byte{files.Certificate: c.certificate, files.Key: c.key} {
			if err := g.Account.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	serve(old)
	g.TLS = files
	g.reload(a, b)
	eventually(t, "the gateway serves TLS", func() bool { return serialOfGateway(t, files.Listen, old) == 1 })
	serve(next)
	if err := nginx.Reload(g.running.Identity); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway has the new certificate", func() bool { return serialOfGateway(t, files.Listen, next) == 2 })
	l.more(200)
	l.stop()
}

// serialOfDatabase returns the serial number of the certificate of PostgreSQL, or 0 without a connection.
func serialOfDatabase(t *testing.T, databaseURL string) int64 {
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close(context.Background()) }()
	secure, ok := conn.PgConn().Conn().(*tls.Conn)
	if !ok {
		t.Fatal("the connection to PostgreSQL is not encrypted")
	}
	return secure.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// serialOfGateway returns the serial number of the certificate of a gateway whose only trusted certificate is the given one, or 0 without a
// response.
func serialOfGateway(t *testing.T, address string, trusted certificate) int64 {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted.certificate)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/things/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0
	}
	return response.TLS.PeerCertificates[0].SerialNumber.Int64()
}
