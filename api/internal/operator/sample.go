package operator

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

// latency is the histogram that the page reads.
const latency = "systemscale_http_request_duration_seconds"

// counters are sums since the programs began.
type counters struct {
	at       time.Time
	requests float64             // that instances answered
	failed   float64             // of these, with 5xx
	buckets  map[float64]float64 // requests by the upper bound of their duration in seconds, cumulative
	gateway  float64             // requests that NGINX got
}

// sources is where counters come from.
type sources struct {
	own     prometheus.Gatherer
	peers   []string // admin addresses of the other instances
	gateway string   // URL of NGINX's stub_status, or empty
	client  *http.Client
}

// read reads them all. What does not answer is left out, and the error says so.
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

// readGateway reads ngx_http_stub_status_module's text: "server accepts handled requests", and on the next line the three numbers.
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
		return errors.New("this is not NGINX's stub_status")
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

// add adds a family of metrics, if it is the one that counts.
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

// interval is what happened between two readings.
type interval struct {
	from, to time.Time
	rate     float64 // requests a second that instances answered
	failures float64 // of these, with 5xx
	gateway  float64 // requests a second that NGINX got
	p50, p99 float64 // milliseconds; NaN where nothing was answered
	hits     float64 // share of NGINX's requests that no instance saw; NaN where it is not known
}

func between(a, b counters) interval {
	seconds := b.at.Sub(a.at).Seconds()
	// A program that was started anew counts from 0.
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

// quantile returns the upper bound in milliseconds of the bucket in which a share of the requests between a and b ends.
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
