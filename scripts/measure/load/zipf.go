package load

import (
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
)

// zipf draws ranks 0, 1, ... with probabilities proportional to 1/(rank+1)^s. Unlike math/rand's it supports s = 1. It is safe for
// concurrent use, as only the source of random numbers changes.
type zipf struct{ cumulative []float64 }

func newZipf(count int, s float64) zipf {
	z := zipf{make([]float64, count)}
	total := 0.0
	for rank := range z.cumulative {
		total += math.Pow(float64(rank+1), -s)
		z.cumulative[rank] = total
	}
	return z
}

func (z zipf) rank(random *rand.Rand) int {
	last := len(z.cumulative) - 1
	return min(last, sort.SearchFloat64s(z.cumulative, random.Float64()*z.cumulative[last]))
}

// Shop contains the popularity of products and pages: visitors view few of them often and most of them rarely. It is safe for concurrent
// use.
type Shop struct {
	popularity zipf
	products   []int32 // ids by rank, in random order
	pages      zipf
}

// PageCount is the number of products on a page of the list.
const PageCount = 5

// NewShop returns the popularity of a catalog's products and pages. It depends only on their number.
func NewShop(products int) *Shop {
	s := &Shop{popularity: newZipf(products, 1), pages: newZipf((products+PageCount-1)/PageCount, 1), products: make([]int32, products)}
	for i, at := range rand.New(rand.NewPCG(1, 0)).Perm(products) {
		s.products[i] = int32(at + 1)
	}
	return s
}

// Product draws a product by popularity.
func (s *Shop) Product(random *rand.Rand) int64 { return int64(s.products[s.popularity.rank(random)]) }

// Page draws a page of the list, from 1, most often one of the first.
func (s *Shop) Page(random *rand.Rand) int { return s.pages.rank(random) + 1 }

// Popular returns the most popular products.
func (s *Shop) Popular(count int) []int32 { return s.products[:min(count, len(s.products))] }

// visitor is traffic with the requests of page views of the React client: a page of the list, most often one of the first, then a product,
// its styles and its related products.
type visitor struct {
	*Shop
	random  *rand.Rand
	step    int
	product int64
	header  string
	request []byte
}

// Visitor returns the requests of a visitor, each with the header if it is not empty. The sequence depends only on the seed.
func (s *Shop) Visitor(seed uint64, header string) Traffic {
	return &visitor{Shop: s, header: header, random: rand.New(rand.NewPCG(seed, 1))}
}

// Next returns a request, which is valid until the next call.
func (v *visitor) Next() []byte {
	v.request = append(v.request[:0], "GET /products"...)
	switch v.step {
	case 0:
		v.product = v.Product(v.random)
		v.request = append(v.request, "?page="...)
		v.request = strconv.AppendInt(v.request, int64(v.Page(v.random)), 10)
		v.request = append(v.request, "&count="...)
		v.request = strconv.AppendInt(v.request, PageCount, 10)
	default:
		v.request = append(v.request, '/')
		v.request = strconv.AppendInt(v.request, v.product, 10)
		v.request = append(v.request, [...]string{1: "", 2: "/styles", 3: "/related"}[v.step]...)
	}
	v.step = (v.step + 1) % 4
	return appendEnd(v.request, v.header)
}

// appendEnd completes a request that contains the method and the path.
func appendEnd(request []byte, header string) []byte {
	request = append(request, " HTTP/1.1\r\nHost: bench\r\n"...)
	if header != "" {
		request = append(append(request, header...), "\r\n"...)
	}
	return append(request, "\r\n"...)
}
