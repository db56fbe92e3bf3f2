package dashboard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// latency is the name of the histogram of requests.
const latency = "systemscale_http_request_duration_seconds"

// counters are sums since the start of the processes.
type counters struct {
	at       time.Time
	requests float64             // answered by instances
	failed   float64             // of these, with 5xx
	buckets  map[float64]float64 // requests by the upper bound of their duration in seconds, cumulative
	gateway  float64             // requests to the gateway
}

// sources are the sources of the counters.
type sources struct {
	own     prometheus.Gatherer
	peers   []string // admin addresses of the other instances
	gateway string   // URL of the gateway's stub_status, or ""
	client  *http.Client
}

// read reads all sources. It skips those that fail, and returns their errors.
func (s *sources) read(ctx context.Context) (counters, error) {
	c := counters{at: time.Now(), buckets: map[float64]float64{}}
	families, err := s.own.Gather()
	errs := []error{err}
	for _, family := range families {
		c.add(family)
	}
	for _, peer := range s.peers {
		errs = append(errs, s.readPeer(ctx, peer, &c))
	}
	if s.gateway != "" {
		errs = append(errs, s.readGateway(ctx, &c))
	}
	return c, errors.Join(errs...)
}

func (s *sources) readPeer(ctx context.Context, peer string, c *counters) error {
	return s.get(ctx, "http://"+peer+"/metrics", func(body io.Reader) error {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(body)
		if err != nil {
			return err
		}
		if family := families[latency]; family != nil {
			c.add(family)
		}
		return nil
	})
}

// readGateway reads the text of ngx_http_stub_status_module: a line "server accepts handled requests", and a line with the three numbers.
func (s *sources) readGateway(ctx context.Context, c *counters) error {
	return s.get(ctx, s.gateway, func(body io.Reader) error {
		lines := bufio.NewScanner(body)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "server accepts handled requests") && lines.Scan() {
				if numbers := strings.Fields(lines.Text()); len(numbers) == 3 {
					var err error
					c.gateway, err = strconv.ParseFloat(numbers[2], 64)
					return err
				}
			}
		}
		return errors.New("not the output of stub_status")
	})
}

func (s *sources) get(ctx context.Context, address string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, response.Status)
	}
	if err := read(io.LimitReader(response.Body, 4<<20)); err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	return nil
}

// add adds a metric family, if it is the histogram of requests.
func (c *counters) add(family *dto.MetricFamily) {
	if family.GetName() != latency {
		return
	}
	for _, metric := range family.Metric {
		count := float64(metric.GetHistogram().GetSampleCount())
		c.requests += count
		for _, label := range metric.Label {
			if label.GetName() == "status" && strings.HasPrefix(label.GetValue(), "5") {
				c.failed += count
			}
		}
		for _, bucket := range metric.GetHistogram().Bucket {
			c.buckets[bucket.GetUpperBound()] += float64(bucket.GetCumulativeCount())
		}
	}
}

// interval holds the rates between two samples.
type interval struct {
	from, to time.Time
	rate     float64 // requests per second answered by instances
	failures float64 // of these, with 5xx
	gateway  float64 // requests per second to the gateway
	p50, p99 float64 // milliseconds; NaN without requests
	hits     float64 // share of the gateway's requests that reached no instance; NaN if unknown
}

func between(a, b counters) interval {
	seconds := b.at.Sub(a.at).Seconds()
	// A process that was restarted counts from 0.
	per := func(from, to float64) float64 { return max(to-from, 0) / seconds }
	i := interval{
		from: a.at, to: b.at, rate: per(a.requests, b.requests), failures: per(a.failed, b.failed), gateway: per(a.gateway, b.gateway),
		p50: quantile(.5, a, b), p99: quantile(.99, a, b), hits: math.NaN(),
	}
	if i.gateway > 0 {
		i.hits = max(1-i.rate/i.gateway, 0)
	}
	return i
}

// quantile returns a quantile of the durations of requests between a and b: the upper bound of its bucket, in milliseconds.
func quantile(share float64, a, b counters) float64 {
	total := b.requests - a.requests
	if total <= 0 {
		return math.NaN()
	}
	best := math.Inf(1)
	for bound, count := range b.buckets {
		if count-a.buckets[bound] >= share*total && bound < best {
			best = bound
		}
	}
	if math.IsInf(best, 1) {
		return math.NaN()
	}
	return best * 1e3
}
