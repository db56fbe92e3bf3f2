package cache

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/redis/rueidis"
)

// place is a parsed URL.
type place struct {
	kind    string // redis or memory
	address string // for people, without a password
	size    uint64 // of memory, in bytes
	redis   rueidis.ClientOption
}

// smallestMemory is the smallest size of a cache in memory, in bytes: it has to hold a document of the maximum size.
const smallestMemory = 2 * maxValue

var errURL = errors.New("not a URL such as redis://user:password@host:6379 or memory://256MiB")

// parse parses a URL. Its errors do not contain the URL or the errors of the parsers, which quote parts of it.
func parse(text string) (place, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return place{}, errURL
	}
	switch parsed.Scheme {
	case "memory":
		return parseMemory(parsed)
	case "redis", "rediss", "valkey", "valkeys", "unix":
		return parseRedis(parsed)
	}
	return place{}, errURL
}

func parseMemory(parsed *url.URL) (place, error) {
	size, err := humanize.ParseBytes(parsed.Host)
	if err != nil || parsed.User != nil || parsed.Path != "" || parsed.RawQuery != "" {
		return place{}, errors.New("not a URL such as memory://256MiB")
	}
	if size < smallestMemory {
		return place{}, fmt.Errorf("a cache in memory has at least %s", humanize.IBytes(smallestMemory))
	}
	return place{kind: "memory", address: humanize.IBytes(size), size: size}, nil
}

func parseRedis(parsed *url.URL) (place, error) {
	query := parsed.Query()
	for name := range query {
		if !slices.Contains([]string{"ca", "db"}, name) {
			return place{}, fmt.Errorf("unknown parameter %q: there are ca and db", name)
		}
	}
	authorities := query.Get("ca")
	query.Del("ca")
	plain := *parsed
	plain.RawQuery = query.Encode()
	options, err := rueidis.ParseURL(plain.String())
	if err != nil || len(options.InitAddress) != 1 || parsed.Fragment != "" || parsed.Scheme == "unix" && parsed.Host != "" {
		return place{}, errURL
	}
	if authorities != "" {
		if options.TLSConfig == nil {
			return place{}, errors.New("ca needs rediss://")
		}
		if options.TLSConfig.RootCAs, err = readAuthorities(authorities); err != nil {
			return place{}, err
		}
	}
	if options.TLSConfig != nil {
		// A connection that is opened again does not need a full handshake.
		options.TLSConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return place{kind: "redis", address: options.InitAddress[0], redis: options}, nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("no certificate in %s", path)
	}
	return pool, nil
}
