package store

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// at returns how many workers are connected to each host.
func (f *fixture) at() map[string]int {
	f.follower.mutex.Lock()
	defer f.follower.mutex.Unlock()
	at := map[string]int{}
	for w := range f.follower.workers {
		if w.at != nil && !w.pages {
			at[w.at.host.String()]++
		}
	}
	return at
}

// sent returns how many lookups were sent to a host.
func (f *fixture) sent(address string) int {
	var metric dto.Metric
	_ = f.metrics.sent.WithLabelValues(address).Write(&metric)
	return int(metric.GetCounter().GetValue())
}

// settled waits until all workers are connected to these hosts, one each or all to the only one.
func (f *fixture) settled(what string, addresses ...string) {
	f.t.Helper()
	publishtest.Eventually(f.t, what, func() bool {
		at := f.at()
		for _, address := range addresses {
			if at[address] != 2/len(addresses) {
				return false
			}
		}
		return true
	})
}

// hostsURL returns the URL of a database on several servers.
func hostsURL(t testing.TB, databaseURL, arguments string, addresses ...string) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host = addresses[0]
	for _, address := range addresses[1:] {
		parsed.Host += "," + address
	}
	parsed.RawQuery += arguments
	return parsed.String()
}

// load is a group of readers that look up documents and pages all the time, and check every result.
type load struct {
	on      *fixture
	stop    chan struct{}
	wait    sync.WaitGroup
	answers atomic.Int64
	back    atomic.Bool // versions may go back for each reader, once
	slowest atomic.Int64
}

func (f *fixture) load(readers, ids int) *load {
	l := &load{on: f, stop: make(chan struct{})}
	for reader := range readers {
		l.wait.Go(func() { l.read(rand.New(rand.NewPCG(5, uint64(reader))), ids) })
	}
	f.t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wait.Wait()
}

func (l *load) read(random *rand.Rand, ids int) {
	var latest int64
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		id := 1 + random.Int64N(int64(ids))
		var result Result
		var err error
		start := time.Now()
		what := fmt.Sprintf("document %d", id)
		if page := random.IntN(10) == 0; page {
			what = "a page"
			result, err = l.on.List(l.on.list(), 0, 3, nil)
		} else {
			result, err = l.on.Get(l.on.document("detail"), sql.IntID(id), Match{}, nil)
			if err == nil {
				checkBody(l.on.t, "detail", id, result)
			}
		}
		took := time.Since(start)
		for slowest := l.slowest.Load(); int64(took) > slowest; slowest = l.slowest.Load() {
			if l.slowest.CompareAndSwap(slowest, int64(took)) {
				break
			}
		}
		if err != nil {
			l.on.t.Errorf("%s after %s: %v", what, took.Round(time.Millisecond), err)
			return
		}
		if result.Run < latest && !l.back.Load() {
			l.on.t.Errorf("%s: run %d comes after run %d", what, result.Run, latest)
		}
		latest = result.Run
		l.answers.Add(1)
	}
}

// during returns the number of answers while do ran, and logs the slowest.
func (l *load) during(what string, do func()) int64 {
	l.on.t.Helper()
	l.slowest.Store(0)
	before := l.answers.Load()
	start := time.Now()
	do()
	answers := l.answers.Load() - before
	l.on.t.Logf("%s: %d answers in %s, the slowest in %s",
		what, answers, time.Since(start).Round(time.Millisecond), time.Duration(l.slowest.Load()).Round(time.Millisecond))
	return answers
}

// more waits for some more results.
func (l *load) more(answers int64) {
	l.on.t.Helper()
	want := l.answers.Load() + answers
	publishtest.Eventually(l.on.t, "lookups are answered", func() bool { return l.answers.Load() >= want })
}

func quickReturn(t *testing.T) {
	before := returnAfter
	returnAfter = 200 * time.Millisecond
	t.Cleanup(func() { returnAfter = before })
}

// pair is a primary with a replica, both real, and a store that is under load from both.
type pair struct {
	*fixture
	*load
	primary, replica *testdb.Server
	edition          int
}

const pairIDs = 40

func newPair(t *testing.T, arguments string) *pair {
	t.Helper()
	quickReturn(t)
	p := &pair{primary: testdb.NewServer(t), edition: 1}
	p.replica = p.primary.NewReplica()
	database := p.primary.New()
	p.fixture = &fixture{t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
	p.publish(1, pairIDs)
	p.Store = open(t, Options{
		URL: hostsURL(t, database.API, arguments, p.primary.Address, p.replica.Address),
		// Longer than the default: on a busy machine, the connections to the last server can take seconds.
		Timeout: 6 * time.Second,
		Poll:    100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	publishtest.Eventually(t, "the store is ready", func() bool { return p.Ready() == nil })
	p.load = p.fixture.load(16, pairIDs)
	return p
}

// next publishes another version, and waits until it is followed.
func (p *pair) next() (run int64) {
	p.t.Helper()
	p.edition++
	run = p.publish(p.edition, pairIDs)
	publishtest.Eventually(p.t, "the version is followed", func() bool { return p.document("").Run == run })
	return run
}

func (p *pair) spread() {
	p.t.Helper()
	p.settled("the workers are spread", p.primary.Address, p.replica.Address)
}

func (p *pair) atPrimary() {
	p.t.Helper()
	p.settled("both workers are with the primary", p.primary.Address)
}

func (p *pair) atReplica() {
	p.t.Helper()
	p.settled("both workers are with the replica", p.replica.Address)
}

// nothingSent fails the test if, while do runs, a lookup is sent to the replica.
func (p *pair) nothingSent(do func()) {
	p.t.Helper()
	before := p.sent(p.replica.Address)
	do()
	if sent := p.sent(p.replica.Address) - before; sent != 0 {
		p.t.Errorf("%d lookups were sent to a replica that is behind", sent)
	}
}

// TestReplicas runs a pair through lag, failures and failover under load: no lookup may fail, none may be sent to a server that is behind,
// and versions may go back only where the newest one is lost.
func TestReplicas(t *testing.T) {
	p := newPair(t, "")
	p.during("a replica that keeps up", func() {
		p.spread()
		for range 3 {
			p.next()
			p.more(200)
		}
	})
	p.during("a replica that is 2 s behind", func() {
		p.replica.Set("recovery_min_apply_delay", "2s")
		p.next()
		p.atPrimary()
		p.more(500)
		p.spread()
		p.replica.Set("recovery_min_apply_delay", "0")
	})
	p.during("a replica whose replay is paused", func() {
		p.replica.Exec("select pg_wal_replay_pause()")
		p.next()
		p.atPrimary()
		p.nothingSent(func() {
			for range 2 {
				p.next()
				p.more(500)
			}
		})
		p.inState("the replica lags", func(primary, replica Host) bool {
			return primary.Up && !primary.Standby && primary.Lag == 0 && replica.Up && replica.Standby && replica.Lag > 0 &&
				replica.Versions[0].Run < primary.Versions[0].Run
		})
		p.replica.Exec("select pg_wal_replay_resume()")
		p.inState("the replica has replayed everything", func(_, replica Host) bool { return replica.Standby && replica.Lag == 0 })
		p.spread()
		before := p.sent(p.replica.Address)
		publishtest.Eventually(t, "the replica is used again", func() bool { return p.sent(p.replica.Address) > before })
	})
	p.during("a replica that is gone", func() {
		p.replica.Kill()
		p.atPrimary()
		p.next()
		p.more(500)
		p.replica.Start()
		p.spread()
	})
	p.during("servers that freeze", func() {
		for _, frozen := range []*testdb.Server{p.replica, p.primary} {
			p.more(100)
			frozen.Freeze()
			p.more(500)
			frozen.Thaw()
			p.spread()
		}
		p.replica.Freeze()
		p.atPrimary() // once the silent connection has timed out
		p.replica.Thaw()
		p.spread()
	})
	p.during("recovery conflicts", p.conflict)
	check := p.checkRoles()
	p.during("a primary that dies before the replica has its last version", p.loseThePrimary)
	p.during("a promotion", func() {
		p.replica.Promote()
		p.publisher = publishtest.NewPublisher(t, testdb.Database{ETL: hostsURL(t, p.database.ETL, "", p.replica.Address)})
		p.next()
		p.more(500)
		p.inState("the replica is the primary", func(_, replica Host) bool { return replica.Up && !replica.Standby && replica.Lag == 0 })
	})
	check()
	p.end()
}

// conflict makes the replica cancel statements that delay replay: the primary locks and vacuums tables that are being read.
func (p *pair) conflict() {
	p.replica.Set("max_standby_streaming_delay", "0")
	conn := testdb.Connect(p.t, p.database.ETL)
	for range 10 {
		endpoint := p.document("detail")
		run := p.change(endpoint, "update catalog."+endpoint.table+" set etag = etag")
		unlock := p.lock(endpoint)
		unlock()
		if _, err := conn.Exec(p.t.Context(), "vacuum catalog."+endpoint.table); err != nil {
			p.t.Fatal(err)
		}
		publishtest.Eventually(p.t, "the version is followed", func() bool { return p.document("").Run == run })
	}
	p.spread()
	var conflicts int
	p.replica.Query("select sum(confl_lock + confl_snapshot)::int from pg_stat_database_conflicts", &conflicts)
	p.t.Logf("the replica canceled %d statements", conflicts)
	p.replica.Set("max_standby_streaming_delay", "30s")
}

// checkRoles opens stores with each value of target_session_attrs, and checks their hosts. The returned function checks the hosts after
// the replica has become the only server, and a primary.
func (p *pair) checkRoles() (after func()) {
	p.t.Helper()
	stores := map[string]*fixture{}
	only := func(f *fixture, want *testdb.Server) {
		p.t.Helper()
		publishtest.Eventually(p.t, "the store is ready", func() bool { return f.Ready() == nil })
		f.settled("both workers have the expected host", want.Address)
	}
	for attributes, want := range map[string]*testdb.Server{
		"primary": p.primary, "read-write": p.primary, "standby": p.replica, "read-only": p.replica, "prefer-standby": p.replica,
	} {
		f := &fixture{t: p.t, database: p.database, Store: open(p.t, Options{
			URL:  hostsURL(p.t, p.database.API, "&target_session_attrs="+attributes, p.primary.Address, p.replica.Address),
			Poll: 100 * time.Millisecond,
		})}
		stores[attributes] = f
		only(f, want)
		if result, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil); err != nil || result.Run != p.document("").Run {
			p.t.Errorf("%s: run %d, %v", attributes, result.Run, err)
		}
	}
	// A standby that is behind is not preferred. It serves its version only if no other server qualifies.
	p.replica.Exec("select pg_wal_replay_pause()")
	held := p.document("").Run
	run := p.next()
	only(stores["prefer-standby"], p.primary)
	publishtest.Eventually(p.t, "the primary's version is followed",
		func() bool { return stores["prefer-standby"].document("").Run == run })
	if result, err := stores["standby"].Get(stores["standby"].document(""), sql.IntID(1), Match{}, nil); err != nil || result.Run != held {
		p.t.Errorf("standby: run %d, %v, want %d", result.Run, err, held)
	}
	p.replica.Exec("select pg_wal_replay_resume()")
	only(stores["prefer-standby"], p.replica)
	only(stores["standby"], p.replica)
	return func() {
		p.t.Helper()
		for attributes, f := range stores {
			if attributes == "standby" || attributes == "read-only" {
				continue // there is no such server any more; existing connections stay
			}
			only(f, p.replica)
			publishtest.Eventually(p.t, "the new primary's version is followed",
				func() bool { return f.document("").Run == p.document("").Run })
		}
	}
}

// loseThePrimary kills the primary while the replica is a version behind. The replica's version is served then.
func (p *pair) loseThePrimary() {
	p.replica.Exec("select pg_wal_replay_pause()")
	held := p.document("").Run
	p.next()
	p.atPrimary()
	p.back.Store(true)
	p.primary.Kill()
	publishtest.Eventually(p.t, "the replica's version is served", func() bool { return p.document("").Run == held })
	p.atReplica()
	p.inState("the primary is lost, and the replica lacks the last version", func(primary, replica Host) bool {
		return !primary.Up && replica.Standby && replica.Lag > 0
	})
	p.more(500)
	result, err := p.Get(p.document(""), sql.IntID(1), Match{}, nil)
	if err != nil || result.Run != held {
		p.t.Errorf("run %d, %v, want run %d", result.Run, err, held)
	} else {
		checkBody(p.t, "item", 1, result)
	}
	p.back.Store(false)
}
