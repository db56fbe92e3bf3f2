package runbook

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/infra/port/porttest"
	"systemscale/infra/postgres"
	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/sql/testdb"
)

// patroni is a cluster of two PostgreSQL servers under Patroni, which agree on the primary in an etcd.
type patroni struct {
	t         *testing.T
	programs  program.Patroni
	account   *process.Account
	directory string
	etcd      string // address
	nodes     []*node
}

// node is a Patroni with its PostgreSQL.
type node struct {
	name, address, rest, directory string
	running                        *process.Running
}

const patroniPassword = "of-the-test"

func newPatroni(t *testing.T) *patroni {
	t.Helper()
	programs, err := program.FindPatroni()
	if err != nil {
		t.Fatalf("%v: ./scripts/task test installs it", err)
	}
	account, err := process.Unprivileged(postgres.Accounts...)
	if err != nil {
		t.Fatal(err)
	}
	p := &patroni{t: t, programs: programs, account: account, directory: testdb.Directory(t), etcd: porttest.Address(t)}
	peer := "http://" + porttest.Address(t)
	store := p.start("etcd", programs.Etcd, "--data-dir", filepath.Join(p.directory, "etcd-data"), "--unsafe-no-fsync",
		"--listen-client-urls", "http://"+p.etcd, "--advertise-client-urls", "http://"+p.etcd, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	t.Cleanup(func() { _ = process.Stop(context.Background(), store.Identity, syscall.SIGTERM, patience) })
	eventually(t, "etcd responds", func() bool {
		got, err := fetch(t.Context(), http.DefaultClient, "http://"+p.etcd+"/health")
		return err == nil && got.status == http.StatusOK
	})
	for _, name := range []string{"a", "b"} {
		n := &node{name: name, address: porttest.Address(t), rest: porttest.Address(t), directory: filepath.Join(p.directory, "data-"+name)}
		p.nodes = append(p.nodes, n)
		p.configure(n)
		p.run(n)
		t.Cleanup(func() { p.kill(n) })
		eventually(t, "the node is a member", func() bool { return p.role(n) != "" })
	}
	eventually(t, "the second node is a synchronous replica", func() bool { return p.role(p.nodes[1]) == "sync_standby" })
	return p
}

func (p *patroni) start(name, path string, arguments ...string) *process.Running {
	p.t.Helper()
	running, err := process.Daemon{
		Name: name, Path: path, Args: arguments, Dir: p.directory, Log: filepath.Join(p.directory, name+".log"), Account: p.account, Tied: true,
	}.Start()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Log(process.LogTail(filepath.Join(p.directory, name+".log")))
		}
	})
	return running
}

func (p *patroni) configure(n *node) {
	p.t.Helper()
	installation, err := program.FindPostgres(0)
	if err != nil {
		p.t.Fatal(err)
	}
	text := fmt.Sprintf(`scope: runbook
name: %[1]s
restapi: {listen: "%[2]s", connect_address: "%[2]s"}
etcd3: {host: "%[3]s"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {wal_log_hints: "on", shared_buffers: 32MB, fsync: "off"}
  initdb: [{encoding: UTF8}, {locale: C}]
  pg_hba: [host all all 127.0.0.1/32 scram-sha-256, host replication all 127.0.0.1/32 scram-sha-256]
postgresql:
  listen: "%[4]s"
  connect_address: "%[4]s"
  data_dir: %[5]s
  bin_dir: %[6]s
  pgpass: %[5]s.pgpass
  authentication:
    superuser: {username: postgres, password: %[7]s}
    replication: {username: replicator, password: %[7]s}
  parameters: {unix_socket_directories: ""}
`, n.name, n.rest, p.etcd, n.address, n.directory, installation.Bin, patroniPassword)
	if err := os.WriteFile(p.file(n), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patroni) file(n *node) string { return filepath.Join(p.directory, n.name+".yml") }

// run starts a node.
func (p *patroni) run(n *node) {
	p.t.Helper()
	n.running = p.start("patroni-"+n.name, p.programs.Patroni, p.file(n))
}

// kill kills a node with its PostgreSQL, like a crash of its machine.
func (p *patroni) kill(n *node) {
	p.t.Helper()
	_ = process.Stop(context.Background(), n.running.Identity, syscall.SIGKILL, patience)
	text, err := os.ReadFile(filepath.Join(n.directory, "postmaster.pid"))
	if err != nil {
		return
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return
	}
	if server, err := process.Of(pid); err == nil && process.WorksIn(pid, n.directory, p.account) {
		_ = process.Stop(context.Background(), server, syscall.SIGQUIT, patience)
	}
}

// role returns the role of a node: leader, sync_standby, replica, or "" if the node does not run.
func (p *patroni) role(n *node) string {
	got, err := fetch(p.t.Context(), http.DefaultClient, "http://"+n.rest+"/cluster")
	if err != nil {
		return ""
	}
	var cluster struct {
		Members []struct{ Name, Role, State string }
	}
	if err := json.Unmarshal([]byte(got.body), &cluster); err != nil {
		return ""
	}
	for _, member := range cluster.Members {
		if member.Name == n.name && (member.State == "running" || member.State == "streaming") {
			return member.Role
		}
	}
	return ""
}

// isPrimary reports whether the server of a node accepts writes. Patroni calls it the primary a moment earlier.
func (p *patroni) isPrimary(n *node) bool {
	conn, err := pgx.Connect(p.t.Context(), p.url(n))
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var recovering bool
	err = conn.QueryRow(p.t.Context(), "select pg_is_in_recovery()").Scan(&recovering)
	return err == nil && !recovering
}

// url returns the superuser's URL of a node.
func (p *patroni) url(n *node) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", patroniPassword), Host: n.address, Path: "/postgres",
		RawQuery: "sslmode=disable",
	}).String()
}

// TestPatroni switches the primary, and then kills it, under load. Patroni promotes the other server.
func TestPatroni(t *testing.T) {
	t.Parallel() // Patroni waits half a minute for the end of a lease
	p := newPatroni(t)
	a, b := p.nodes[0], p.nodes[1]
	database := testdb.NewOn(t, p.url(a))
	both := atAddresses(t, database, a.address, b.address)
	s := newSite(t)
	s.publish(both.ETL, 1)
	s.instance(both.API)
	s.instance(both.API)
	s.serves(1)
	l := newLoad(t, s.gateway(s.instances...), 1)
	l.more(200)

	step(t, "patronictl switchover", func() {
		command := testdb.AsServer(t, p.directory, p.programs.Ctl, "-c", p.file(a), "switchover", "--leader", "a", "--candidate", "b", "--force", "runbook")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		eventually(t, "b is the primary", func() bool { return p.isPrimary(b) })
	})
	l.allow(2)
	s.publish(both.ETL, 2)
	s.serves(2)
	l.more(200)

	eventually(t, "a is a synchronous replica", func() bool { return p.role(a) == "sync_standby" })
	l.allow(3)
	s.publish(both.ETL, 3)
	began := time.Now()
	p.kill(b)
	eventually(t, "a is the primary", func() bool { return p.isPrimary(a) })
	t.Logf("Patroni promoted the replica %s after the end of the primary", time.Since(began).Round(time.Second))
	s.serves(3) // a commit waits for the synchronous replica, so no version is lost
	l.allow(4)
	s.publish(both.ETL, 4)
	s.serves(4)
	l.more(200)

	p.run(b)
	eventually(t, "the old primary has come back as a replica", func() bool { return p.role(b) == "sync_standby" })
	l.more(200)
	l.stop()
}
