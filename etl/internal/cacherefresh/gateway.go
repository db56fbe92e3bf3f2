package cacherefresh

import (
	"errors"
	"net/url"
	"strings"
)

// Gateway is the address of the refresh endpoint of a gateway. The zero value is not valid.
type Gateway struct {
	scheme, host string
}

// UnmarshalText parses and normalizes an address such as http://127.0.0.1:8281.
func (n *Gateway) UnmarshalText(text []byte) error {
	// The message of the parser would repeat the address, and with it a password.
	wrong := errors.New("a gateway is given by the address of its refresh endpoint, http://host:port without a path")
	parsed, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || parsed.Hostname() == "" || parsed.User != nil || parsed.Path != "" && parsed.Path != "/" ||
		parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "" {
		return wrong
	}
	n.scheme, n.host = strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
	if n.scheme != "http" && n.scheme != "https" {
		return wrong
	}
	return nil
}

// String returns the address without a trailing slash.
func (n Gateway) String() string { return n.scheme + "://" + n.host }
