package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// checkReady returns nil if the instance with this admin address is ready, and otherwise the reason. An image without a shell has no
// other program that could ask.
func checkReady(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	network, target := "tcp", admin
	if path, unix := strings.CutPrefix(admin, unixPrefix); unix {
		network, target = "unix", path
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, target)
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/ready", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the admin port does not respond: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // the status suffices
		return fmt.Errorf("not ready: %s %s", response.Status, strings.TrimSpace(string(reason)))
	}
	return nil
}
