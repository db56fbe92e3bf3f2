package load

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseWrk(t *testing.T) {
	got, err := parseWrk("Running 1s test @ http://127.0.0.1:1\n  2 threads\n" +
		`{"requests":3000,"microseconds":1500000,"bytes":9000,"p50":100,"p99":200,"p999":300,"errors":4}` + "\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Load{Requests: 3000, Microseconds: 1_500_000, Bytes: 9000, P50: 100, P99: 200, P999: 300, Errors: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parseWrk (-want +got):\n%s", diff)
	}
	if got.Rate() != 2000 {
		t.Errorf("%g requests per second, want 2000", got.Rate())
	}
	for _, out := range []string{"", "unable to connect to 127.0.0.1:1 Connection refused\n"} {
		if _, err := parseWrk(out); err == nil {
			t.Errorf("parseWrk(%q) returns no error", out)
		}
	}
}

func TestParsePgbench(t *testing.T) {
	const out = "transaction type: lookup.sql\nnumber of transactions actually processed: 186077\n" +
		"number of failed transactions: 3 (0.002%)\nlatency average = 1.719 ms\n" +
		"initial connection time = 69.122 ms\ntps = 37223.526182 (without initial connection time)\n"
	got, err := parsePgbench(out)
	if err != nil || got.Requests != 186_077 || got.Errors != 3 || math.Abs(got.Rate()-37223.526) > 0.1 {
		t.Errorf("%+v, %v, rate %f", got, err, got.Rate())
	}
	if _, err := parsePgbench("number of transactions actually processed: 0\n"); err == nil {
		t.Error("output without a rate returns no error")
	}
}

func TestErrorsMakeALoadInvalid(t *testing.T) {
	for _, l := range []Load{{}, {Requests: 10, Errors: 1}, {Errors: 1}} {
		if l.Valid() == nil {
			t.Errorf("%+v is valid", l)
		}
	}
	if err := (Load{Requests: 1}).Valid(); err != nil {
		t.Error(err)
	}
}

func TestFromCache(t *testing.T) {
	for _, test := range []struct {
		cache map[string]int64
		want  float64
	}{
		{nil, 0},
		{map[string]int64{"HIT": 3}, 1},
		{map[string]int64{"HIT": 1, "STALE": 1, "UPDATING": 1, "MISS": 1, "EXPIRED": 1, "REVALIDATED": 1}, 0.5},
	} {
		if got := (Load{Cache: test.cache}).FromCache(); got != test.want {
			t.Errorf("FromCache of %v = %v, want %v", test.cache, got, test.want)
		}
	}
}
