package main

import (
	"crypto/tls"
	"crypto/x509"
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
		for _, at := range []time.Time{now, now.Add(364 * 24 * time.Hour)} {
			if _, err := first.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at}); err != nil {
				t.Errorf("%s at %v: %v", name, at, err)
			}
		}
	}
	if _, err := first.Verify(x509.VerifyOptions{DNSName: "example.com", Roots: roots}); err == nil {
		t.Error("it stands for any name")
	}
	if info, err := os.Stat(files.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others may read the key", info.Mode(), err)
	}

	renew(now.Add(300*24*time.Hour), false)
	renew(now.Add(340*24*time.Hour), true)
	second := read(files)
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 || !second.NotAfter.After(first.NotAfter) {
		t.Error("the certificate near its end is the same as before")
	}
	renew(now, false)
	for _, damage := range []string{files.key, files.certificate} {
		if err := os.WriteFile(damage, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
		renew(now, true)
		renew(now, false)
	}
}
