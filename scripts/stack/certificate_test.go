package main

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"
)

func TestDevelopmentCertificate(t *testing.T) {
	directory, now := t.TempDir(), time.Now()
	renew := func(now time.Time, wantRenewed bool) certificate {
		t.Helper()
		files, renewed, err := developmentCertificate(directory, nil, now)
		if err != nil || renewed != wantRenewed {
			t.Fatalf("developmentCertificate() = %v, %v, want renewed %v", renewed, err, wantRenewed)
		}
		return files
	}
	read := func(files certificate) *x509.Certificate {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(files.certificate, files.key)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	files := renew(now, true)
	first := read(files)
	roots := x509.NewCertPool()
	roots.AddCert(first)
	for _, name := range []string{"localhost", "127.0.0.1"} {
		for _, at := range []time.Time{now, now.Add(29 * 24 * time.Hour)} {
			if _, err := first.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at}); err != nil {
				t.Errorf("%s at %v: %v", name, at, err)
			}
		}
	}
	if _, err := first.Verify(x509.VerifyOptions{DNSName: "example.com", Roots: roots}); err == nil {
		t.Error("the certificate is valid for another name")
	}
	if !isDevelopmentCertificate(first, now) || first.NotAfter.Sub(now) > 31*24*time.Hour {
		t.Errorf("CA %v, usage %v %v, until %v; want a server's certificate for a month", first.IsCA, first.KeyUsage, first.ExtKeyUsage,
			first.NotAfter)
	}
	wantNoAuthority(t, files, first, now)
	if info, err := os.Stat(files.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: other users can read the key", info.Mode(), err)
	}

	renew(now.Add(15*24*time.Hour), false)
	renew(now.Add(17*24*time.Hour), true)
	second := read(files)
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 || !second.NotAfter.After(first.NotAfter) {
		t.Error("a certificate that is about to expire was not renewed")
	}
	renew(now.Add(15*24*time.Hour), true) // it is not valid yet: the clock was set back
	renew(now, true)
	renew(now, false)
	if err := os.Chmod(files.key, 0o640); err != nil {
		t.Fatal(err)
	}
	renew(now, true)
	writeAuthority(t, files, now)
	renew(now, true)
	for _, damage := range []string{files.key, files.certificate} {
		if err := os.WriteFile(damage, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
		renew(now, true)
		renew(now, false)
	}
}

// wantNoAuthority signs a certificate for another name with the key. A client that trusts the issuer must not accept it.
func wantNoAuthority(t *testing.T, files certificate, issuer *x509.Certificate, now time.Time) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.certificate, files.key)
	if err != nil {
		t.Fatal(err)
	}
	forged := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"example.com"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, forged, issuer, pair.PrivateKey.(crypto.Signer).Public(), pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if forged, err = x509.ParseCertificate(signed); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(issuer)
	if _, err := forged.Verify(x509.VerifyOptions{DNSName: "example.com", Roots: roots, CurrentTime: now}); err == nil {
		t.Error("a client accepts a certificate for another name")
	}
}

// writeAuthority replaces the certificate by a certificate authority.
func writeAuthority(t *testing.T, files certificate, now time.Time) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.certificate, files.key)
	if err != nil {
		t.Fatal(err)
	}
	template := *pair.Leaf
	template.IsCA, template.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(365*24*time.Hour)
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, pair.PrivateKey.(crypto.Signer).Public(), pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o644); err != nil {
		t.Fatal(err)
	}
}
