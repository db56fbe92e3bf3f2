package load

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestZipfFrequencies(t *testing.T) {
	const count, draws = 1000, 400_000
	for _, s := range []float64{0.8, 1, 1.5} {
		z, random := newZipf(count, s), rand.New(rand.NewPCG(1, 2))
		var seen [count]int
		for range draws {
			seen[z.rank(random)]++
		}
		total := 0.0
		for rank := range count {
			total += 1 / math.Pow(float64(rank+1), s)
		}
		for _, rank := range []int{0, 1, 2, 9, 99, count - 1} {
			p := 1 / math.Pow(float64(rank+1), s) / total
			want, deviation := p*draws, math.Sqrt(draws*p*(1-p))
			if got := float64(seen[rank]); math.Abs(got-want) > 5*deviation {
				t.Errorf("s = %g: rank %d was drawn %.0f times, want %.0f ± %.0f", s, rank, got, want, 5*deviation)
			}
		}
	}
	if rank := newZipf(1, 1).rank(rand.New(rand.NewPCG(1, 2))); rank != 0 {
		t.Errorf("of one rank, %d was drawn", rank)
	}
}

func TestVisitorRequestsPageViews(t *testing.T) {
	const products = 98
	shop := NewShop(products)
	seen := map[int32]bool{}
	for _, product := range shop.products {
		if product < 1 || product > products || seen[product] {
			t.Fatalf("product %d is not one of %d, or is repeated", product, products)
		}
		seen[product] = true
	}
	visitor := shop.Visitor(1, "Accept-Encoding: gzip")
	pages, visited := map[int]bool{}, map[string]bool{}
	for range 5000 {
		var paths [4]string
		for i := range paths {
			line, rest, _ := strings.Cut(string(visitor.Next()), "\r\n")
			if rest != "Host: bench\r\nAccept-Encoding: gzip\r\n\r\n" {
				t.Fatalf("%q follows %q", rest, line)
			}
			paths[i] = strings.TrimSuffix(strings.TrimPrefix(line, "GET /products"), " HTTP/1.1")
		}
		page, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(paths[0], "?page="), "&count=5"))
		if err != nil || page < 1 || page > 20 {
			t.Fatalf("%q is not a page from 1 to 20: %v", paths[0], err)
		}
		id, err := strconv.Atoi(strings.TrimPrefix(paths[1], "/"))
		if err != nil || !seen[int32(id)] || paths[2] != paths[1]+"/styles" || paths[3] != paths[1]+"/related" {
			t.Fatalf("a visitor requests %q", paths)
		}
		pages[page], visited[paths[1]] = true, true
	}
	if len(pages) != 20 || len(visited) != products {
		t.Errorf("5,000 visits requested %d pages and %d products, want 20 and %d", len(pages), len(visited), products)
	}
}
