package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

type apiCommand struct {
	workplace
	Rounds      int `default:"3" help:"How often everything is measured, in turns. Default: ${default}."`
	Seconds     int `default:"10" help:"Length of one measurement. Default: ${default}."`
	Connections int `default:"64" help:"HTTP connections, and pgbench clients. Default: ${default}."`
}

//go:embed random.lua
var randomScript []byte

// Run measures lookups of random products' styles, none of them cached: over HTTP by the API and by the plain handler,
// and without HTTP by pgbench.
func (c *apiCommand) Run(ctx context.Context, stdout io.Writer) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	r, err := newReport(ctx, "api", &c.workplace, c.Rounds)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "load the catalog")
	if _, err := measure(ctx, c.program("etl"), "run", "--csv", c.csv(), "--database", c.etlURL(), "--accept", "rejects", "--rejects", c.rejects()); err != nil {
		return err
	}
	table, err := c.stylesTable(ctx)
	if err != nil {
		return err
	}
	wrkScript, err := c.file("random.lua", string(randomScript))
	if err != nil {
		return err
	}
	pgbenchScript, err := c.file("lookup.sql", fmt.Sprintf("\\set id random(1, %d)\n%s;\n", c.Products, strings.ReplaceAll(sql.QueryFor("api_get_document", "table", table), "$1", ":id")))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	addresses, err := freeAddresses(3)
	if err != nil {
		return err
	}
	api, err := start(ctx, filepath.Join(c.Work, "api.log"), addresses[0], c.program("api"), "--database", c.apiURL(), "--listen", addresses[0], "--admin", addresses[1])
	if err != nil {
		return err
	}
	defer api.stop()
	plain, err := start(ctx, filepath.Join(c.Work, "pool.log"), addresses[2], self, "pool-server", "--database", c.apiURL(), "--table", table, "--listen", addresses[2])
	if err != nil {
		return err
	}
	defer plain.stop()

	var apiLoads, plainLoads []load
	var pgbench []float64
	for round := range c.Rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d:", round+1, c.Rounds)
		for _, turn := range []struct {
			name  string
			at    string
			loads *[]load
		}{{"pgxpool", addresses[2], &plainLoads}, {"api", addresses[0], &apiLoads}} {
			got, err := c.wrk(ctx, wrkScript, turn.at)
			if err != nil {
				return fmt.Errorf("%s: %w", turn.name, err)
			}
			*turn.loads = append(*turn.loads, got)
			fmt.Fprintf(os.Stderr, " %s %.0f/s,", turn.name, got.rate())
		}
		rate, err := c.pgbench(ctx, pgbenchScript)
		if err != nil {
			return err
		}
		pgbench = append(pgbench, rate)
		fmt.Fprintf(os.Stderr, " pgbench %.0f/s\n", rate)
	}

	apiRate := r.addLoads("api", apiLoads)
	plainRate := r.addLoads("Fiber + pgxpool, 8 connections", plainLoads)
	pgbenchRate := r.add(fmt.Sprintf("pgbench -M prepared, %d clients, no HTTP", c.Connections), "lookups/s", pgbench...)
	p99 := r.add("api, p99", "ms", each(apiLoads, func(l load) float64 { return float64(l.P99) / 1e3 })...)
	r.add("api, peak memory", "MiB", float64(api.stop())/(1<<20))
	r.atLeast("api / plain pgxpool handler", apiRate/plainRate, 1.4)
	r.atMost(fmt.Sprintf("api, p99 at %d connections, ms", c.Connections), p99, 10)
	r.Targets = append(r.Targets, target{"api / pgbench", apiRate / pgbenchRate, "for scale", true})
	return r.write(stdout, c.Work)
}

// load is what wrk found in one round. Latencies are microseconds.
type load struct {
	Requests     int64 `json:"requests"`
	Microseconds int64 `json:"microseconds"`
	P50          int64 `json:"p50"`
	P99          int64 `json:"p99"`
	P999         int64 `json:"p999"`
	Errors       int64 `json:"errors"`
}

func (l load) rate() float64 { return float64(l.Requests) / (float64(l.Microseconds) / 1e6) }

func each(loads []load, value func(load) float64) []float64 {
	values := make([]float64, len(loads))
	for i, l := range loads {
		values[i] = value(l)
	}
	return values
}

// addLoads notes rate and median latency and returns the rate.
func (r *report) addLoads(name string, loads []load) float64 {
	rate := r.add(name, "requests/s", each(loads, load.rate)...)
	r.add(name+", p50", "ms", each(loads, func(l load) float64 { return float64(l.P50) / 1e3 })...)
	return rate
}

func (c *apiCommand) wrk(ctx context.Context, script, address string) (load, error) {
	result, err := measure(ctx, "wrk", "-t2", "-c", strconv.Itoa(c.Connections), "-d", strconv.Itoa(c.Seconds)+"s", "-s", script,
		"http://"+address, "--", strconv.Itoa(c.Products))
	if err != nil {
		return load{}, err
	}
	line := result.out[strings.LastIndex(strings.TrimSpace(result.out), "\n")+1:]
	var got load
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		return load{}, fmt.Errorf("read what wrk says: %w: %q", err, line)
	}
	if got.Errors > 0 || got.Requests == 0 {
		return load{}, fmt.Errorf("%d of %d requests failed: a rate of errors means nothing", got.Errors, got.Requests)
	}
	return got, nil
}

var pgbenchRate = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)

func (c *apiCommand) pgbench(ctx context.Context, script string) (float64, error) {
	result, err := measure(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(c.Connections), "-j", "2", "-T", strconv.Itoa(c.Seconds), "-f", script, c.apiURL())
	if err != nil {
		return 0, err
	}
	found := pgbenchRate.FindStringSubmatch(result.out)
	if found == nil {
		return 0, fmt.Errorf("no rate in what pgbench says: %q", result.out)
	}
	return strconv.ParseFloat(found[1], 64)
}

func (c *apiCommand) stylesTable(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, c.apiURL())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, sql.Query("api_select_versions"))
	if err != nil {
		return "", err
	}
	type version struct {
		Collection      string
		Generation, Run int64
		Documents       []sql.Document
		PublishedAt     time.Time
	}
	live, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[version])
	if err != nil {
		return "", err
	}
	return sql.DocumentTable(live.Collection, "styles", live.Generation), nil
}

func (c *apiCommand) file(name, text string) (string, error) {
	path := filepath.Join(c.Work, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// freeAddresses returns loopback addresses on which nothing listens at this moment.
func freeAddresses(count int) ([]string, error) {
	var addresses []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// server is a program that serves while others are measured.
type server struct {
	command *exec.Cmd
	peak    func() int64
	memory  int64
}

// start starts a program and waits until it answers for product 1.
func start(ctx context.Context, logPath, address, name string, args ...string) (*server, error) {
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{command: command, peak: watchMemory(command.Process.Pid)}
	deadline := time.Now().Add(20 * time.Second)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/products/1/styles", nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK && err == nil {
				return s, nil
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.stop()
			return nil, errors.Join(fmt.Errorf("%s does not answer; its log is %s", filepath.Base(name), logPath), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// stop ends the server and returns the memory it had at most, in bytes.
func (s *server) stop() int64 {
	if s.command.ProcessState == nil {
		s.memory = s.peak()
		_ = s.command.Process.Signal(syscall.SIGTERM)
		_ = s.command.Wait() // whatever its exit code, it is gone
	}
	return s.memory
}
