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
	"time"

	"systemscale/scripts/internal/process"
)

const (
	certificateLife = 365 * 24 * time.Hour
	// certificateRest is what a certificate has left at least when NGINX starts with it.
	certificateRest = 30 * 24 * time.Hour
)

// certificate is a certificate and its private key, each a PEM file.
type certificate struct{ certificate, key string }

func certificateIn(directory string) certificate {
	return certificate{filepath.Join(directory, "localhost.crt"), filepath.Join(directory, "localhost.key")}
}

// developmentCertificate returns the directory's certificate for localhost and 127.0.0.1, signed by itself. One that is missing,
// damaged or near its end is made anew. The account alone may read the key.
func developmentCertificate(directory string, account *process.Account, now time.Time) (files certificate, renewed bool, err error) {
	files = certificateIn(directory)
	if pair, err := tls.LoadX509KeyPair(files.certificate, files.key); err == nil && pair.Leaf.NotAfter.Sub(now) >= certificateRest {
		return files, false, nil
	}
	if err := writeCertificate(files, account, now); err != nil {
		return certificate{}, false, fmt.Errorf("make a certificate for development: %w", err)
	}
	return files, true, nil
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
		// Its own authority, for curl --cacert; and for nothing but this server.
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
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
		// Others may never read it, not even for a moment: it gets its mode before its content, and its name last.
		if err := replaceFile(file.path, text.Bytes()); err != nil {
			return err
		}
		if err := os.Chmod(file.path, file.mode); err != nil {
			return err
		}
		if err := account.Own(file.path); err != nil {
			return err
		}
	}
	return nil
}
