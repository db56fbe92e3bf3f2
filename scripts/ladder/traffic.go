package main

import (
	"math/rand/v2"
	"os"
	"strings"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure/load"
)

// traffic draws requests. Those to all endpoints are page views, as of the React client: a page of the list, a product, its styles and its
// related products, so that each endpoint gets a quarter.
type traffic struct {
	shop     *load.Shop
	products int
	hot      []int32 // the most popular products
}

func newTraffic(products, hot int) *traffic {
	shop := load.NewShop(products)
	return &traffic{shop: shop, products: products, hot: shop.Popular(hot)}
}

// lastPage returns the number of the last page of a list of that many products.
func lastPage(products int) int { return (products + load.PageCount - 1) / load.PageCount }

// trace returns count requests to one endpoint, or to all. The result depends only on the arguments.
func (t *traffic) trace(kind, endpoint string, seed uint64, count int) []rung.Request {
	random := rand.New(rand.NewPCG(seed, uint64(len(kind)+16*len(endpoint))))
	endpoints := rung.Endpoints()
	requests := make([]rung.Request, count)
	var product int64
	for i := range requests {
		at := endpoints[i%len(endpoints)]
		if endpoint != report.All {
			at = rung.Endpoint(endpoint)
		}
		if product == 0 || endpoint != report.All || i%len(endpoints) == 0 {
			product = t.product(kind, random)
		}
		requests[i] = rung.Request{Endpoint: at, ID: product}
		if at == rung.List {
			requests[i] = rung.Request{Endpoint: at, Page: t.page(kind, random), Count: load.PageCount}
		}
	}
	return requests
}

func (t *traffic) product(kind string, random *rand.Rand) int64 {
	switch kind {
	case report.Hot:
		return int64(t.hot[random.IntN(len(t.hot))])
	case report.Zipf:
		return t.shop.Product(random)
	default:
		return 1 + random.Int64N(int64(t.products))
	}
}

func (t *traffic) page(kind string, random *rand.Rand) int {
	switch kind {
	case report.Hot:
		return 1 + random.IntN(lastPage(len(t.hot)))
	case report.Zipf:
		return t.shop.Page(random)
	default:
		return 1 + random.IntN(lastPage(t.products))
	}
}

// all returns every request of hot traffic once.
func (t *traffic) allHot() []rung.Request {
	var requests []rung.Request
	for page := 1; page <= lastPage(len(t.hot)); page++ {
		requests = append(requests, rung.Request{Endpoint: rung.List, Page: page, Count: load.PageCount})
	}
	for _, id := range t.hot {
		for _, endpoint := range []rung.Endpoint{rung.Product, rung.Styles, rung.Related} {
			requests = append(requests, rung.Request{Endpoint: endpoint, ID: int64(id)})
		}
	}
	return requests
}

// writeTrace writes the paths of requests to a file for wrk.
func writeTrace(path string, requests []rung.Request, pathOf func(rung.Request) string) error {
	var text strings.Builder
	for _, request := range requests {
		text.WriteString(pathOf(request))
		text.WriteByte('\n')
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
