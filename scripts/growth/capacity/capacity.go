// Package capacity computes what more traffic and more products need: processors, instances, gateways, databases, memory, network and
// the time of a run. It multiplies costs that were measured on one machine. The Assumptions are all else that it uses.
//
// It knows no queues: it holds as long as the processors are not busier than Assumptions.Utilization. It knows no latency of networks
// and no failures, except that there are at least two of everything that answers requests.
package capacity

import (
	"errors"
	"math"
)

// The baseline: 1× is a catalog of a million products, and the traffic at which the system that this one replaces fell over.
const (
	BaseProducts = 1_000_000
	BaseRequests = 1000 // per second
)

// Costs were measured. Times are microseconds of one processor.
type Costs struct {
	Products int // of the catalog with which requests were measured

	// Of a request that reaches an instance, without a gateway.
	API      float64
	Postgres float64
	// Of NGINX, for a request that it passes to an instance, and for one that it answers from its cache.
	Proxy float64
	Hit   float64
	// Of a request that is answered with joins, with PostgreSQL's part.
	Joins float64

	ResponseBytes float64 // of one response, with headers

	// Of one product, over all files, tables and endpoints.
	Rows       float64
	Documents  float64
	TableBytes float64
	IndexBytes float64

	// Of one row, of the ETL and PostgreSQL together.
	Load  float64
	Delta float64 // of a night with one changed product in a hundred, per row of the whole catalog
	// LoadMemory is the peak memory of the ETL in bytes. It does not depend on the catalog.
	LoadMemory float64
}

// Assumptions are what was not measured.
type Assumptions struct {
	Utilization       float64 // share of the processors, and of the network, that is busy in the busiest second
	NodeCores         float64 // of one machine
	NodeMemory        float64 // bytes
	NodeNetwork       float64 // bits per second, in each direction
	InstanceCores     float64 // that one API process is given
	LeastServers      float64 // gateways, instances, and servers of each shard: one may fail
	CachedResponses   float64 // that the cache of each gateway holds
	HotShare          float64 // of the documents, that should be in the memory of the database, with all of the primary keys
	MemoryForBlocks   float64 // share of a machine's memory that holds blocks of tables
	ShardBytes        float64 // the most that one database should hold, so that it can be copied in an hour or two
	WorkerCores       float64 // of the machine of one run, with its database
	WorkerUtilization float64 // share of these that a run keeps busy: it compares on one, and loads with all
}

// Default are the assumptions of the page on growth.
var Default = Assumptions{
	Utilization:       0.5,
	NodeCores:         8,
	NodeMemory:        64 << 30,
	NodeNetwork:       10e9,
	InstanceCores:     2,
	LeastServers:      2,
	CachedResponses:   1_000_000,
	HotShare:          0.2,
	MemoryForBlocks:   0.75,
	ShardBytes:        1 << 40,
	WorkerCores:       2,
	WorkerUtilization: 0.85,
}

// Demand is how many times the baseline is needed.
type Demand struct {
	Traffic  float64
	Catalog  float64
	Uncached bool // the gateways keep no responses, or all clients ask for different documents
}

// Need is what a demand needs.
type Need struct {
	Requests float64 // per second
	Products float64
	Hits     float64 // share of the requests that a gateway answers from its cache

	// Processors to provide.
	GatewayCores  float64
	APICores      float64
	PostgresCores float64
	JoinsCores    float64 // for the same requests with joins and without caches, in comparison

	Gateways  float64
	Instances float64
	Shards    float64
	Servers   float64 // PostgreSQL servers of each shard: one that is written, and its replicas

	Bytes   float64 // of all tables and primary keys
	Memory  float64 // for blocks of tables, of each server
	Network float64 // bits per second to all clients
}

// Cores returns all processors that answer requests.
func (n Need) Cores() float64 { return n.GatewayCores + n.APICores + n.PostgresCores }

// Needs computes what a demand needs.
func (c Costs) Needs(a Assumptions, d Demand) Need {
	n := Need{Requests: d.Traffic * BaseRequests, Products: d.Catalog * BaseProducts}
	if !d.Uncached {
		n.Hits = HitRatio(a.CachedResponses, n.Products*c.Documents)
	}
	misses := 1 - n.Hits
	cores := func(micros float64) float64 { return n.Requests * micros / 1e6 / a.Utilization }
	n.GatewayCores = cores(n.Hits*c.Hit + misses*c.Proxy)
	n.APICores = cores(misses * c.API)
	depth := Depth(n.Products, float64(c.Products))
	n.PostgresCores = cores(misses * c.Postgres * depth)
	n.JoinsCores = cores(c.Joins * depth)
	n.Network = n.Requests * c.ResponseBytes * 8

	n.Instances = max(a.LeastServers, math.Ceil(n.APICores/a.InstanceCores))
	n.Gateways = max(a.LeastServers, math.Ceil(n.GatewayCores/a.NodeCores), math.Ceil(n.Network/(a.NodeNetwork*a.Utilization)))

	n.Bytes = n.Products * (c.TableBytes + c.IndexBytes)
	resident := n.Products * (c.IndexBytes + a.HotShare*c.TableBytes)
	n.Shards = max(1, math.Ceil(n.Bytes/a.ShardBytes), math.Ceil(resident/(a.NodeMemory*a.MemoryForBlocks)))
	n.Memory = resident / n.Shards
	n.Servers = max(a.LeastServers, math.Ceil(n.PostgresCores/n.Shards/a.NodeCores))
	return n
}

// LoadTime returns the seconds of a first load of the catalog, by workers that each load an equal share into a shard of their own.
func (c Costs) LoadTime(a Assumptions, catalog, workers float64) float64 {
	return c.runTime(a, catalog, workers, c.Load)
}

// DeltaTime returns the seconds of a night with one changed product in a hundred, likewise.
func (c Costs) DeltaTime(a Assumptions, catalog, workers float64) float64 {
	return c.runTime(a, catalog, workers, c.Delta)
}

func (c Costs) runTime(a Assumptions, catalog, workers, micros float64) float64 {
	return catalog * BaseProducts * c.Rows * micros / 1e6 / (workers * a.WorkerCores * a.WorkerUtilization)
}

// Depth is how many times as much a lookup costs in PostgreSQL with other products than those measured: the ratio of the logarithms,
// which no measurement of sizes has exceeded.
func Depth(products, measured float64) float64 { return math.Log(products) / math.Log(measured) }

// HitRatio is the share of the requests for the most popular responses, if as many as cached are kept and the k-th of all is requested
// with a probability proportional to 1/k (Zipf, s = 1).
func HitRatio(cached, all float64) float64 {
	if cached >= all {
		return 1
	}
	return harmonic(cached) / harmonic(all)
}

// harmonic is 1 + 1/2 + ... + 1/n, by Euler's formula.
func harmonic(n float64) float64 {
	const euler = 0.5772156649
	return math.Log(n) + euler + 1/(2*n)
}

// Check returns an error if a cost is missing, with which the result would be nonsense.
func (c Costs) Check() error {
	for _, cost := range []float64{
		float64(c.Products), c.API, c.Postgres, c.Proxy, c.Hit, c.Joins, c.ResponseBytes, c.Rows, c.Documents, c.TableBytes, c.IndexBytes,
		c.Load, c.Delta, c.LoadMemory,
	} {
		if !(cost > 0) || math.IsInf(cost, 0) {
			return errors.New("a cost is missing: the ladder and the sizes must both have been measured in full")
		}
	}
	return nil
}
