package cacherefresh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Gateway is the address of the refresh endpoint of a gateway, or of several with one host name. The zero value is not valid.
type Gateway struct {
	scheme, host string
	// Each address of the host name is a gateway with a cache of its own.
	several bool
}

// severalPrefix is the prefix of the scheme of an address that names several gateways.
const severalPrefix = "dns+"

// lookupTime is how long the search for the addresses of a host name may take.
const lookupTime = 10 * time.Second

// UnmarshalText parses and normalizes an address such as http://127.0.0.1:8281, or dns+http://gateways:8281 for all gateways that the name
// gateways has addresses of.
func (n *Gateway) UnmarshalText(text []byte) error {
	// The message of the parser would repeat the address, and with it a password.
	wrong := errors.New("a gateway is given by the address of its refresh endpoint, http://host:port without a path, and all gateways of one " +
		"host name by dns+http://host:port")
	parsed, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || parsed.Hostname() == "" || parsed.User != nil || parsed.Path != "" && parsed.Path != "/" ||
		parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "" {
		return wrong
	}
	n.scheme, n.host = strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
	n.scheme, n.several = strings.CutPrefix(n.scheme, severalPrefix)
	// A certificate is for a name, not for the addresses behind it.
	if n.scheme != "http" && (n.scheme != "https" || n.several) {
		return wrong
	}
	return nil
}

// String returns the address without a trailing slash.
func (n Gateway) String() string {
	if n.several {
		return severalPrefix + n.scheme + "://" + n.host
	}
	return n.scheme + "://" + n.host
}

// Each returns the gateways that n names: n itself, or one for each address that the host name has now, in the order of the addresses.
func (n Gateway) Each(ctx context.Context) ([]Gateway, error) {
	return n.each(ctx, net.DefaultResolver.LookupHost)
}

func (n Gateway) each(ctx context.Context, lookup func(context.Context, string) ([]string, error)) ([]Gateway, error) {
	if !n.several {
		return []Gateway{n}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	parsed := url.URL{Host: n.host}
	addresses, err := lookup(ctx, parsed.Hostname())
	if err != nil {
		return nil, fmt.Errorf("find its addresses: %w", err)
	}
	slices.Sort(addresses)
	var gateways []Gateway
	for _, address := range slices.Compact(addresses) {
		host := net.JoinHostPort(address, parsed.Port())
		if parsed.Port() == "" {
			host = strings.TrimSuffix(host, ":")
		}
		gateways = append(gateways, Gateway{scheme: n.scheme, host: host})
	}
	return gateways, nil
}
