package main

import (
	"context"
	"net"
	"strings"
	"time"
)

// addressesOf returns the addresses of an API instance in NGINX's notation, or none if its name cannot be resolved.
func (s *supervisor) addressesOf(ctx context.Context, name string) []string {
	host, port, err := net.SplitHostPort(name)
	if strings.HasPrefix(name, "unix:") || err != nil || net.ParseIP(host) != nil {
		return []string{name}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := s.lookup(ctx, host)
	if err != nil {
		return nil
	}
	addresses := make([]string, 0, len(found))
	for _, address := range found {
		addresses = append(addresses, net.JoinHostPort(address, port))
	}
	return addresses
}
