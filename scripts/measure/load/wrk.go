package load

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-json"

	"systemscale/scripts/measure"
)

//go:embed requests.lua
var requestsScript []byte

// Wrk is the configuration of wrk, which measures a closed model: each connection sends the next request when it has received a response.
type Wrk struct {
	Directory   string // for the script
	Connections int
	Seconds     int
}

// Run sends requests to address, which is host:port. args are the arguments of requests.lua. Statuses above 399 are errors: Run returns one
// with the load.
func (w Wrk) Run(ctx context.Context, address string, args ...string) (Load, error) {
	script := filepath.Join(w.Directory, "requests.lua")
	if err := os.WriteFile(script, requestsScript, 0o644); err != nil {
		return Load{}, err
	}
	took, err := measure.Run(ctx, "wrk", append([]string{
		"-t2", "-c", strconv.Itoa(w.Connections), "-d", strconv.Itoa(w.Seconds) + "s", "-s", script,
		"http://" + address, "--",
	}, args...)...)
	if err != nil {
		return Load{}, err
	}
	got, err := parseWrk(took.Out)
	if err != nil {
		return Load{}, err
	}
	got.Charge("load", took.CPU)
	if got.Errors == 0 {
		got.Kinds = nil
	}
	return got, got.Valid()
}

// parseWrk reads the last line of wrk's output, which requests.lua writes.
func parseWrk(out string) (Load, error) {
	out = strings.TrimSpace(out)
	var got Load
	if err := json.Unmarshal([]byte(out[strings.LastIndex(out, "\n")+1:]), &got); err != nil {
		return Load{}, fmt.Errorf("parse the output of wrk: %w: %q", err, out)
	}
	return got, nil
}

// WriteRequests writes the requests to a file for requests.lua.
func WriteRequests(path string, documents []Document, h Header) error {
	var text strings.Builder
	for _, d := range documents {
		text.WriteString(d.Path)
		if value := h(d); value != "" {
			text.WriteString("\t" + value)
		}
		text.WriteByte('\n')
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
