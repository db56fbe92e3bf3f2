package server

import (
	"strings"
	"testing"

	"systemscale/infra/nginx"
)

func TestMetric(t *testing.T) {
	const text = "# HELP go_memstats_mallocs_total x\ngo_memstats_mallocs_total_more 1\ngo_memstats_mallocs_total 1.5e+06\nsome{a=\"b\"} 2\n"
	if value, found := metric(text, "go_memstats_mallocs_total"); value != 1.5e6 || !found {
		t.Errorf("%v, %v", value, found)
	}
	for _, name := range []string{"some", "go_memstats", "x"} {
		if value, found := metric(text, name); found {
			t.Errorf("%s is %v", name, value)
		}
	}
}

func TestWithoutCache(t *testing.T) {
	without, err := WithoutCache(nginx.Template)
	if err != nil || strings.Contains(without, "proxy_cache $cache;") || !strings.Contains(without, "\n    proxy_cache off;") {
		t.Errorf("the cache is still used, or %v", err)
	}
	if _, err := WithoutCache(without); err == nil {
		t.Error("a template without a cache returns no error")
	}
}
