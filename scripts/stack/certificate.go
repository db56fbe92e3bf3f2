package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"systemscale/infra/process"
)

const (
	// certificateLife is short, because users may add the certificate to the trusted ones of their browser.
	certificateLife = 30 * 24 * time.Hour
	// certificateRest is the minimum remaining validity of a certificate with which NGINX starts.
	certificateRest = 14 * 24 * time.Hour
)

// certificate is a certificate and its private key, each a PEM file.
type certificate struct{ certificate, key string }

func certificateIn(directory string) certificate {
	return certificate{filepath.Join(directory, "localhost.crt"), filepath.Join(directory, "localhost.key")}
}

// developmentCertificate returns the directory's self-signed certificate for localhost and 127.0.0.1. It creates a new one if the present
// one is missing, damaged, about to expire, not valid yet (the clock was set back) or valid for other purposes. Only the account can
// read the key.
func developmentCertificate(directory string, account *process.Account, now time.Time) (files certificate, renewed bool, err error) {
	files = certificateIn(directory)
	pair, err := tls.LoadX509KeyPair(files.certificate, files.key)
	if err == nil && isDevelopmentCertificate(pair.Leaf, now) && isPrivate(files.key) {
		return files, false, nil
	}
	if err := writeCertificate(files, account, now); err != nil {
		return certificate{}, false, fmt.Errorf("create the development certificate: %w", err)
	}
	return files, true, nil
}

// isDevelopmentCertificate reports whether a certificate is one of writeCertificate and does not expire soon. Those of earlier versions
// were certificate authorities: a browser that trusts one trusts any certificate that its key signs.
func isDevelopmentCertificate(found *x509.Certificate, now time.Time) bool {
	return !found.IsCA && found.BasicConstraintsValid && found.KeyUsage == x509.KeyUsageDigitalSignature &&
		slices.Equal(found.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) &&
		!found.NotBefore.After(now) && found.NotAfter.Sub(now) >= certificateRest
}

// isPrivate reports whether only its owner can read a file.
func isPrivate(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o077 == 0
}

func writeCertificate(files certificate, account *process.Account, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "localhost", Organization: []string{"systemScale, for development"}},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(loopback)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		// Not an authority: trust in this certificate does not extend to other names. curl --cacert and browsers accept a trusted
		// self-signed certificate that is not an authority.
		IsCA: false, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		path, kind string
		mode       os.FileMode
		content    []byte
	}{{files.key, "PRIVATE KEY", 0o600, private}, {files.certificate, "CERTIFICATE", 0o644, signed}} {
		var text bytes.Buffer
		if err := pem.Encode(&text, &pem.Block{Type: file.kind, Bytes: file.content}); err != nil {
			return err
		}
		if err := account.WriteFile(file.path, text.Bytes(), file.mode); err != nil {
			return err
		}
	}
	return nil
}
