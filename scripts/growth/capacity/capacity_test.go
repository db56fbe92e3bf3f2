package capacity_test

import (
	"math"
	"testing"

	"systemscale/scripts/growth/capacity"
)

// costs are round numbers, so that the needs below can be computed by hand.
var costs = capacity.Costs{
	Products: 1_000_000,
	API:      20, Postgres: 30, Proxy: 25, Hit: 10, Joins: 1000,
	ResponseBytes: 1000,
	Rows:          25, Documents: 4, TableBytes: 3000, IndexBytes: 100,
	Load: 2, Delta: 1, LoadMemory: 60 << 20,
}

var assumptions = capacity.Assumptions{
	Utilization: 0.5, NodeCores: 8, NodeMemory: 10e9, NodeNetwork: 1e9, InstanceCores: 2, LeastServers: 2, CachedResponses: 1_000_000,
	HotShare: 0.1, MemoryForBlocks: 0.5, ShardBytes: 1e12, WorkerCores: 2, WorkerUtilization: 0.8,
}

func TestNeeds(t *testing.T) {
	for _, test := range []struct {
		name   string
		demand capacity.Demand
		want   capacity.Need
	}{
		{
			// 1000 requests of 25 + 20 + 30 µs are 25, 20 and 30 ms per second; at half of the processors that is twice as much.
			// A million products have 3.1 GB, of which 0.1 GB of keys and 0.3 GB of documents are to be in memory.
			"baseline",
			capacity.Demand{Traffic: 1, Catalog: 1, Uncached: true},
			capacity.Need{
				Requests: 1000, Products: 1e6, GatewayCores: 0.05, APICores: 0.04, PostgresCores: 0.06, JoinsCores: 2, Gateways: 2, Instances: 2,
				Shards: 1, Servers: 2, Bytes: 3.1e9, Memory: 0.4e9, Network: 8e6,
			},
		},
		{
			// 50, 40 and 60 processors: 7 machines of gateways, but 8 Gbit/s need 16 at half of 1 Gbit/s each; 20 instances;
			// 7.5 machines of databases.
			"1000 times the traffic",
			capacity.Demand{Traffic: 1000, Catalog: 1, Uncached: true},
			capacity.Need{
				Requests: 1e6, Products: 1e6, GatewayCores: 50, APICores: 40, PostgresCores: 60, JoinsCores: 2000, Gateways: 16, Instances: 20,
				Shards: 1, Servers: 8, Bytes: 3.1e9, Memory: 0.4e9, Network: 8e9,
			},
		},
		{
			// The logarithm of 10^9 is 1.5 times that of 10^6. 3.1 TB are 4 shards by size, but 400 GB in memory are 80 by 5 GB each.
			"1000 times the catalog",
			capacity.Demand{Traffic: 1, Catalog: 1000, Uncached: true},
			capacity.Need{
				Requests: 1000, Products: 1e9, GatewayCores: 0.05, APICores: 0.04, PostgresCores: 0.09, JoinsCores: 3, Gateways: 2, Instances: 2,
				Shards: 80, Servers: 2, Bytes: 3.1e12, Memory: 5e9, Network: 8e6,
			},
		},
	} {
		got := costs.Needs(assumptions, test.demand)
		if !near(got, test.want) {
			t.Errorf("%s: %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

// near compares all numbers, to the millionth.
func near(a, b capacity.Need) bool {
	numbers := func(n capacity.Need) []float64 {
		return []float64{
			n.Requests, n.Products, n.Hits, n.GatewayCores, n.APICores, n.PostgresCores, n.JoinsCores, n.Gateways, n.Instances, n.Shards,
			n.Servers, n.Bytes, n.Memory, n.Network,
		}
	}
	for i, x := range numbers(a) {
		if y := numbers(b)[i]; math.Abs(x-y) > 1e-6*math.Max(1, math.Abs(y)) {
			return false
		}
	}
	return true
}

// With a cache, the instances get the misses only, and NGINX's time is that of the mix.
func TestNeedsWithACache(t *testing.T) {
	n := costs.Needs(assumptions, capacity.Demand{Traffic: 10, Catalog: 1})
	// H(1,000,000) = 14.392727 of H(4,000,000) = 15.779021.
	const hits = 14.392727 / 15.779021
	for name, pair := range map[string][2]float64{
		"hits":              {n.Hits, hits},
		"gateway":           {n.GatewayCores, 10_000 * (hits*10 + (1-hits)*25) / 1e6 / 0.5},
		"API":               {n.APICores, 10_000 * (1 - hits) * 20 / 1e6 / 0.5},
		"PostgreSQL":        {n.PostgresCores, 10_000 * (1 - hits) * 30 / 1e6 / 0.5},
		"all":               {n.Cores(), n.GatewayCores + n.APICores + n.PostgresCores},
		"joins":             {n.JoinsCores, 20},
		"everything cached": {capacity.HitRatio(10, 10), 1},
		"few":               {capacity.HitRatio(1000, 1_000_000), 7.485471 / 14.392727},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-5 {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

// A million products have 25 million rows of 2 µs: 50 s of processor time, on 2 processors that are busy to 80 %.
func TestRunTimes(t *testing.T) {
	for _, test := range []struct{ got, want float64 }{
		{costs.LoadTime(assumptions, 1, 1), 31.25},
		{costs.LoadTime(assumptions, 100, 1), 3125},
		{costs.LoadTime(assumptions, 100, 10), 312.5},
		{costs.DeltaTime(assumptions, 1, 1), 15.625},
	} {
		if math.Abs(test.got-test.want) > 1e-9 {
			t.Errorf("%v s, want %v s", test.got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := costs.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*capacity.Costs){
		"no hit":       func(c *capacity.Costs) { c.Hit = 0 },
		"no number":    func(c *capacity.Costs) { c.Load = math.NaN() },
		"infinite":     func(c *capacity.Costs) { c.API = math.Inf(1) },
		"no documents": func(c *capacity.Costs) { c.Documents = 0 },
	} {
		spoiled := costs
		spoil(&spoiled)
		if spoiled.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPredictions(t *testing.T) {
	p := capacity.Prediction{Predicted: 110, Measured: 100}
	if got := p.Error(); math.Abs(got-0.1) > 1e-9 {
		t.Errorf("the error of 110 for 100 is %v, want 0.1", got)
	}
	if got := capacity.Mix(0.75, 10, 50); got != 20 {
		t.Errorf("Mix = %v, want 20", got)
	}
	for _, test := range []struct{ with, without, want float64 }{{5, 20, 0.75}, {20, 20, 0}, {30, 20, 0}, {0, 20, 1}} {
		if got := capacity.Hits(test.with, test.without); got != test.want {
			t.Errorf("Hits(%v, %v) = %v, want %v", test.with, test.without, got, test.want)
		}
	}
}
