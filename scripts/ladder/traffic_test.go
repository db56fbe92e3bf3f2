package main

import (
	"slices"
	"testing"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
)

func TestTraces(t *testing.T) {
	const products, hot, count = 998, 50, 8000
	traffic := newTraffic(products, hot)
	for _, kind := range []string{report.Hot, report.Zipf, report.Uniform} {
		requests := traffic.trace(kind, report.All, 7, count)
		if !slices.Equal(requests, traffic.trace(kind, report.All, 7, count)) {
			t.Errorf("%s: the same seed results in other requests", kind)
		}
		if slices.Equal(requests, traffic.trace(kind, report.All, 8, count)) {
			t.Errorf("%s: another seed results in the same requests", kind)
		}
		number, ids, pages := map[rung.Endpoint]int{}, map[int64]int{}, map[int]int{}
		for i, request := range requests {
			number[request.Endpoint]++
			if request.Endpoint == rung.List {
				pages[request.Page]++
				continue
			}
			ids[request.ID]++
			if request.Endpoint != rung.Product && request.ID != requests[i-1].ID {
				t.Fatalf("%s: request %d is for product %d, after %d", kind, i, request.ID, requests[i-1].ID)
			}
		}
		for _, endpoint := range rung.Endpoints() {
			if number[endpoint] != count/4 {
				t.Errorf("%s: %d requests for %s, want a quarter of %d", kind, number[endpoint], endpoint, count)
			}
		}
		for id := range ids {
			if id < 1 || id > products || kind == report.Hot && !slices.Contains(traffic.hot, int32(id)) {
				t.Errorf("%s: product %d", kind, id)
			}
		}
		for page := range pages {
			if page < 1 || page > 200 || kind == report.Hot && page > hot/5 {
				t.Errorf("%s: page %d", kind, page)
			}
		}
		if most := ids[int64(traffic.hot[0])]; kind == report.Zipf && most < count/16 {
			t.Errorf("Zipf traffic has %d requests for the most popular product, want a lot", most)
		}
	}
	for _, request := range traffic.trace(report.Zipf, "styles", 1, 100) {
		if request.Endpoint != rung.Styles || request.ID == 0 {
			t.Fatalf("a request to the endpoint styles is %+v", request)
		}
	}
}

func TestVerificationHasAllHotRequestsAndMissingProducts(t *testing.T) {
	traffic := newTraffic(1000, 50)
	requests := traffic.verification(100)
	for _, want := range append(traffic.allHot(),
		rung.Request{Endpoint: rung.Styles, ID: 1001}, rung.Request{Endpoint: rung.List, Page: 201, Count: 5},
		rung.Request{Endpoint: rung.List, Page: 200, Count: 5}) {
		if !slices.Contains(requests, want) {
			t.Errorf("%+v is not compared", want)
		}
	}
	if want := 50*3 + 10; len(traffic.allHot()) != want {
		t.Errorf("%d hot requests, want %d", len(traffic.allHot()), want)
	}
}
