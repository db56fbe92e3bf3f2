package kubernetes_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// products is the number of products in the dump. An update of one in a hundred is written as a delta.
const products = 200

// TestPlay runs the small overlay from nothing: migration, first run, API, gateway. Then a run that changes a product refreshes the
// gateway's copy, and the API pods are replaced under load.
func TestPlay(t *testing.T) {
	c := newCluster(t)
	c.startDatabase()
	for _, claim := range c.claims {
		c.play(claim.Name, claim)
	}
	dump := filepath.Join(c.run("volume", "inspect", "--format", "{{.Mountpoint}}", "dump"), "current")
	generate := exec.CommandContext(t.Context(), "go", "run", "../../scripts/generate", "--products", fmt.Sprint(products), "--seed", "1", "--out", dump)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}

	if code, out := c.job("migrate", "migrate"); code != "0" {
		t.Fatalf("migrate: exit code %s\n%s", code, out)
	}
	// No gateway runs yet. That fails no run.
	if code, out := c.job("etl", "first"); code != "0" || !strings.Contains(out, "version 1 is published") {
		t.Fatalf("the first run: exit code %s\n%s", code, out)
	}
	apis := c.deployment("api", "api")
	front := c.deployment("gateway", "gateway", "gateway-refresh")[0]
	probe := c.workload(t, "gateway").container(t).ReadinessProbe.Exec.Command
	c.await("the gateway is not ready", func() error {
		_, err := c.podman.Output(t.Context(), append([]string{"exec", front + "-gateway"}, probe...)...)
		return err
	})
	for _, pod := range apis {
		c.probe(pod)
	}
	gateway := fmt.Sprintf("http://%s:%d", c.address(front), c.services["gateway-refresh"].Spec.Ports[0].Port)
	public := fmt.Sprintf("http://%s:8080", c.address(front))
	document := public + "/products/1"
	for range 3 { // cached from the second time on
		if body, err := get(t.Context(), document, nil); err != nil || !strings.Contains(body, `"id": 1,`) {
			t.Fatalf("%v\n%s", err, body)
		}
	}

	const name = "The New Name"
	rename(t, filepath.Join(dump, "product.csv"), name)
	code, out := c.job("etl", "second")
	refreshed := regexp.MustCompile(regexp.QuoteMeta(gateway) + `: .*copies: [1-9]\d* refreshed`)
	if code != "0" || !refreshed.MatchString(out) {
		t.Errorf("the second run: exit code %s, want a refresh of %s\n%s", code, gateway, out)
	}
	if body, err := get(t.Context(), document, nil); err != nil || !strings.Contains(body, name) {
		t.Errorf("after the refresh: %v\n%s", err, body)
	}

	load := startLoad(t, public)
	for i, pod := range apis {
		replacement := fmt.Sprintf("api-new-%d", i)
		c.pod("api", replacement, "api")
		c.probe(replacement)
		address := c.address(replacement)
		c.await("the gateway does not know "+address, func() error {
			text, err := c.podman.Command(t.Context(), "logs", front+"-gateway").CombinedOutput()
			if err == nil && !strings.Contains(string(text), address) {
				err = fmt.Errorf("the log is\n%s", text)
			}
			return err
		})
		c.run("pod", "stop", "--time", fmt.Sprint(*c.workload(t, "api").pod.Spec.TerminationGracePeriodSeconds), pod)
	}
	if served, problems := load(); served < 100 || len(problems) > 0 {
		t.Errorf("%d requests served while the API pods were replaced, %d failed, such as: %v", served, len(problems), first(problems))
	}

	if err := os.RemoveAll(dump); err != nil {
		t.Fatal(err)
	}
	if code, out := c.job("etl", "third"); code != "3" {
		t.Errorf("without a dump: exit code %s, want 3\n%s", code, out)
	}
}

func first(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return problems[0]
}

// startLoad requests products and pages one after the other, until the returned function is called. It returns how many requests succeeded,
// and the errors of the others. Every second request is one that the gateway passes on to the API in any case.
func startLoad(t *testing.T, public string) func() (served int64, problems []error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var count atomic.Int64
	done := make(chan []error)
	go func() {
		var problems []error
		for i := 0; ctx.Err() == nil; i++ {
			url := fmt.Sprintf("%s/products/%d", public, 1+i%products)
			if i%3 == 1 {
				url = fmt.Sprintf("%s/products?page=%d&count=%d", public, 1+i%7, 1+i%20)
			}
			header := http.Header{}
			if i%2 == 1 {
				header.Set("If-Match", "*")
			}
			if _, err := get(context.WithoutCancel(ctx), url, header); err != nil {
				problems = append(problems, err)
			} else {
				count.Add(1)
			}
		}
		done <- problems
	}()
	return func() (int64, []error) {
		cancel()
		return count.Load(), <-done
	}
}

// rename changes the name of the first product in a CSV file.
func rename(t *testing.T, path, name string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(read(t, path))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, column := range rows[0] {
		if column == "name" {
			rows[1][i] = name
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := csv.NewWriter(file).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
