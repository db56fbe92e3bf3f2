package cacherefresh

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestGatewayEach names gateways by a host name with two addresses, of which the resolver lists one twice.
func TestGatewayEach(t *testing.T) {
	for _, c := range []struct{ named, want string }{
		{"http://gateways:8281", "[http://gateways:8281]"},
		{"dns+http://gateways:8281", "[http://10.0.0.2:8281 http://[fd00::2]:8281]"},
		{"dns+http://gateways", "[http://10.0.0.2 http://[fd00::2]]"},
	} {
		got, err := gatewayOf(t, c.named).each(t.Context(), func(_ context.Context, host string) ([]string, error) {
			if host != "gateways" {
				t.Errorf("%s: the resolver is asked for %q", c.named, host)
			}
			return []string{"fd00::2", "10.0.0.2", "fd00::2"}, nil
		})
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v (%v), want %s", c.named, got, err, c.want)
		}
	}
}

func TestGatewayEachWithoutAddress(t *testing.T) {
	missing := errors.New("no such host")
	got, err := gatewayOf(t, "dns+http://gateways:8281").each(t.Context(), func(context.Context, string) ([]string, error) { return nil, missing })
	if len(got) > 0 || !errors.Is(err, missing) {
		t.Errorf("%v, %v", got, err)
	}
	// An address is a name with one address, and needs no resolver.
	if got, err := gatewayOf(t, "dns+http://127.0.0.1:8281").Each(t.Context()); err != nil || fmt.Sprint(got) != "[http://127.0.0.1:8281]" {
		t.Errorf("%v, %v", got, err)
	}
}
