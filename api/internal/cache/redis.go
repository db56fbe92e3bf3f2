package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/redis/rueidis"
)

const (
	// connectTimeout bounds connecting, and a check whether the server is back.
	connectTimeout = time.Second
	// silenceLimit is how long a server may take to respond before its connection is closed. Reads have given up long before.
	silenceLimit = 500 * time.Millisecond
	// putTimeout bounds a round trip that stores documents.
	putTimeout = 250 * time.Millisecond
	// minPause and maxPause bound the pause between two checks whether the server is back. It doubles.
	minPause, maxPause = 100 * time.Millisecond, 2 * time.Second
	// maxReads is the maximum number of reads in progress; further ones fail at once. It is much less than the slots of the client's ring,
	// where a read would wait without a deadline if all were taken.
	maxReads = 512
	ringBits = 12
	// complaintPause is the pause between two log entries about documents that were not stored.
	complaintPause = time.Minute
)

var (
	// errForeign means that a key has a value of another type, so it is not of this program.
	errForeign = errors.New("not a document")
	errBusy    = errors.New("too many reads in progress")
)

// redis is a cache in a Redis or Valkey server. Concurrent reads share round trips.
type redis struct {
	option    rueidis.ClientOption
	client    atomic.Pointer[rueidis.Client] // nil before the first connection
	ttl       time.Duration
	deadlines deadlines
	breaker   *breaker
	reads     atomic.Int64 // in progress
	logger    *slog.Logger
	stop      context.CancelFunc
	running   sync.WaitGroup
	complaint time.Time // of the last log entry about documents that were not stored; used by put
}

func newRedis(where place, timeout, ttl time.Duration, logger *slog.Logger) (*redis, error) {
	option := where.redis
	option.ClientName = "systemscale-api"
	option.ForceSingleClient = true
	option.DisableCache = true     // the client's own, which Redis would have to invalidate
	option.DisableRetry = true     // the database is the second attempt
	option.AlwaysPipelining = true // otherwise a late response costs the connection
	option.PipelineMultiplex = -1  // one connection: fewer and larger round trips
	option.RingScaleEachConn = ringBits
	option.ConnWriteTimeout = silenceLimit
	option.Dialer = net.Dialer{Timeout: connectTimeout, KeepAlive: silenceLimit}
	ctx, stop := context.WithCancel(context.Background())
	r := &redis{
		option: option, ttl: ttl, deadlines: deadlines{limit: timeout}, breaker: newBreaker(), stop: stop,
		logger: logger.With("cache", where.address),
	}
	r.breaker.trip() // until it is connected
	r.running.Go(func() { r.follow(ctx) })
	return r, nil
}

// follow connects, and checks whether the server is back whenever it has been lost, until ctx ends.
func (r *redis) follow(ctx context.Context) {
	for lost := false; ; lost = true {
		select {
		case <-ctx.Done():
			return
		case <-r.breaker.opened:
		}
		if lost {
			r.logger.Warn("document cache does not respond; the database answers until it does")
		}
		complained := lost
		for pause := minPause; ; pause = min(2*pause, maxPause) {
			err := r.check(ctx)
			if err == nil {
				break
			}
			if !complained && ctx.Err() == nil {
				complained = true
				r.logger.Warn("cannot connect to the document cache, retrying; the database answers meanwhile", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause/2 + rand.N(pause/2)):
			}
		}
		r.logger.Info("document cache connected")
		r.breaker.reset()
	}
}

// check returns nil if the server responds. It connects if there is no client yet.
func (r *redis) check(ctx context.Context) error {
	client := r.client.Load()
	if client == nil {
		made, err := rueidis.NewClient(r.option)
		if err != nil {
			return err
		}
		client = &made
		r.client.Store(client)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return (*client).Do(ctx, (*client).B().Ping().Build()).Error()
}

func (r *redis) up() bool { return !r.breaker.open.Load() }

func (r *redis) get(key []byte) ([]byte, error) {
	if r.reads.Add(1) > maxReads {
		r.reads.Add(-1)
		return nil, errBusy
	}
	defer r.reads.Add(-1)
	client := *r.client.Load()
	// The client retains the key of a read that has timed out.
	text, err := client.Do(r.deadlines.next(), client.B().Get().Key(string(key)).Build()).ToString()
	switch {
	case err == nil:
		r.breaker.succeeded()
		return unsafe.Slice(unsafe.StringData(text), len(text)), nil
	case rueidis.IsRedisNil(err):
		r.breaker.succeeded()
		return nil, errAbsent
	case isWrongType(err):
		r.breaker.succeeded()
		return nil, errForeign
	}
	r.breaker.failed()
	return nil, err
}

func isWrongType(err error) bool {
	failure, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(failure.Error(), "WRONGTYPE")
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

func (r *redis) put(fills []fill) (stored int, err error) {
	if !r.up() {
		return 0, errLost
	}
	client := *r.client.Load()
	commands := make(rueidis.Commands, len(fills))
	for i, f := range fills {
		set := client.B().Set().Key(string(f.key)).Value(rueidis.BinaryString(f.value))
		if r.ttl > 0 {
			commands[i] = set.Px(r.ttl).Build()
		} else {
			commands[i] = set.Build()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), putTimeout)
	defer cancel()
	for _, result := range client.DoMulti(ctx, commands...) {
		if failure := result.Error(); failure != nil {
			err = failure
		} else {
			stored++
		}
	}
	if err != nil && time.Since(r.complaint) > complaintPause {
		r.complaint = time.Now()
		r.logger.Warn("document cache does not store documents", "error", err)
	}
	if err != nil {
		return stored, fmt.Errorf("store documents: %w", err)
	}
	return stored, nil
}

// bytes is not known: the server has documents of others, too.
func (r *redis) bytes() int64 { return -1 }

func (r *redis) close() {
	r.stop()
	r.running.Wait()
	if client := r.client.Load(); client != nil {
		(*client).Close()
	}
}
