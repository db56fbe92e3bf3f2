package edge

import (
	"errors"
	"net/url"
	"strings"
)

// Node is a cache node, known by the address of its refresh door. The zero value is none.
type Node struct {
	scheme, host string
}

// UnmarshalText reads an address such as http://127.0.0.1:8281. One address is always written the same way afterwards.
func (n *Node) UnmarshalText(text []byte) error {
	// The message of the parser would repeat the address, and with it a password.
	wrong := errors.New("a cache node is written as the address of its refresh door, http://host:port and nothing behind it")
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

// String returns the address, without a slash at its end.
func (n Node) String() string { return n.scheme + "://" + n.host }
