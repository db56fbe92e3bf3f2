package systemtest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/program"
)

// shownProducts is the number of products in the catalog. Its last page is not full.
const shownProducts = 590

// TestPages tests the storefront, the dashboard, and the description of the API.
func TestPages(t *testing.T) {
	csv := realAndGenerated(t, shownProducts)
	s, _ := start(t, csv)
	p := &postgresServer{stack: s, t: t}
	b := newBrowser(t, s)
	t.Run("an existing client from another origin", func(t *testing.T) {
		b.run(t, "client.mjs", nil)
		eventually(t, "a preflight request in the access log", func() bool {
			log, err := os.ReadFile(filepath.Join(s.state, "log", "access.json"))
			return err == nil && strings.Contains(string(log), `"method":"OPTIONS","uri":"/api/fec2/hr-rfp/products/1"`)
		})
	})
	t.Run("the storefront", func(t *testing.T) {
		b.run(t, "storefront.mjs", map[string]func(){
			"publish": func() {
				change(t, csv, "product.csv", `(?m)^(1,"Camo Onesie",.*),140$`, "$1,151")
				change(t, csv, "styles.csv", `(?m)^(1,1,"Forest Green & Black"),null,`, "$1,19,")
				s.etl("run", "--csv", csv, "--gateway", s.env["GATEWAYS"])
			},
			"stop Postgres":  func() { p.end(syscall.SIGINT) },
			"start Postgres": func() { p.start() },
		})
	})
	t.Run("the dashboard", func(t *testing.T) {
		for price := range 4 {
			change(t, csv, "product.csv", `(?m)^(3,"Morning Joggers",.*),\d+$`, fmt.Sprintf("$1,%d", 41+price))
			s.etl("run", "--csv", csv)
		}
		// It would remove most products, so a gate fails.
		refused := s.etlCommand("run", "--csv", filepath.Join(s.root, "etl", "testdata", "v2"))
		if out, err := refused.CombinedOutput(); err == nil {
			t.Errorf("most of the catalog was removed:\n%s", out)
		}
		s.etl("rollback", "--no-hold")
		b.run(t, "dashboard.mjs", nil)
	})
	t.Run("the OpenAPI description", func(t *testing.T) { testDescription(t, s, p, csv) })
	t.Run("a page of reviews", func(t *testing.T) {
		reviews := filepath.Join(s.root, "etl", "shapes", "reviews")
		// Neither changes the catalog of products.
		s.up("--csv", reviews, "--shape", filepath.Join(reviews, "shape.yaml"), "--aliases", filepath.Join(reviews, "aliases"))
		eventually(t, "the reviews", func() bool { return s.get("/reviews?product_id=1").status == http.StatusOK })
		b.run(t, "reviews.mjs", nil)
	})
	t.Run("ids beyond 2^53", func(t *testing.T) {
		s.etl("run", "--csv", largeIDs(t), "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows")
		eventually(t, "the new catalog", func() bool { return strings.Contains(s.get("/products").body, "Odd Bat") })
		b.run(t, "ids.mjs", nil)
	})
}

// largeIDs writes a catalog of two products whose ids, and those of their styles and SKUs, differ by one beyond 2^53.
func largeIDs(t *testing.T) (directory string) {
	t.Helper()
	directory = t.TempDir()
	const a, b = "9007199254740992", "9007199254740993"
	for name, text := range map[string]string{
		"product.csv": "id,name,slogan,description,category,default_price\n" +
			a + `,"Even Ball","s","d","Balls",10` + "\n" + b + `,"Odd Bat","s","d","Bats",20` + "\n",
		"features.csv": "id,product_id,feature,value\n1," + a + `,"Color","red"` + "\n2," + b + `,"Color","blue"` + "\n",
		"styles.csv": "id,productId,name,sale_price,original_price,default_style\n" +
			a + "," + a + `,"Red",null,10,1` + "\n" + b + "," + b + `,"Blue",null,20,1` + "\n",
		"photos.csv":  "id,styleId,url,thumbnail_url\n1," + a + `,"https://pictures.example/a.jpg","https://pictures.example/a.jpg"` + "\n",
		"skus.csv":    "id,styleId,size,quantity\n" + a + "," + a + `,"M",3` + "\n" + b + "," + b + `,"M",4` + "\n",
		"related.csv": "id,current_product_id,related_product_id\n1," + a + "," + b + "\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// realAndGenerated writes a catalog of that many products: the real ones of testdata, followed by generated ones.
func realAndGenerated(t *testing.T, products int) (directory string) {
	t.Helper()
	generated := filepath.Join(t.TempDir(), "csv")
	generate := exec.Command("go", "run", "../generate", "--products", strconv.Itoa(products), "--seed", "1", "--out", generated)
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	directory = t.TempDir()
	last := map[string]int{} // last real id of each file
	for _, file := range []struct {
		name   string
		parent string // file of the ids in the second column
	}{
		{"product.csv", ""},
		{"styles.csv", "product.csv"},
		{"features.csv", "product.csv"},
		{"related.csv", "product.csv"},
		{"photos.csv", "styles.csv"},
		{"skus.csv", "styles.csv"},
	} {
		original, err := os.ReadFile(filepath.Join(testdata, "v1", file.name))
		if err != nil {
			t.Fatal(err)
		}
		added, err := os.ReadFile(filepath.Join(generated, file.name))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		text.Write(original)
		lines := strings.Split(strings.TrimSpace(string(original)), "\n")
		last[file.name] = number(t, lines[len(lines)-1], 0)
		for _, line := range strings.Split(strings.TrimSpace(string(added)), "\n")[1:] {
			// Only rows of generated products and styles.
			isNew := file.parent == "" && number(t, line, 0) > last[file.name]
			switch {
			case file.parent == "product.csv":
				isNew = number(t, line, 1) > last["product.csv"]
			case file.parent == "styles.csv":
				isNew = number(t, line, 1) >= last["first generated style"]
			}
			if !isNew {
				continue
			}
			if file.name == "styles.csv" && last["first generated style"] == 0 {
				last["first generated style"] = number(t, line, 0)
			}
			text.WriteString("\n" + line)
		}
		if err := os.WriteFile(filepath.Join(directory, file.name), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// number returns the number in a column of a line. The columns before it must not contain commas.
func number(t *testing.T, line string, column int) int {
	t.Helper()
	n, err := strconv.Atoi(strings.Split(line, ",")[column])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// change replaces the only match of a pattern in a file.
func change(t *testing.T, directory, name, pattern, replacement string) {
	t.Helper()
	path := filepath.Join(directory, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	expression := regexp.MustCompile(pattern)
	if found := len(expression.FindAll(text, -1)); found != 1 {
		t.Fatalf("%s contains %q %d times", name, pattern, found)
	}
	if err := os.WriteFile(path, expression.ReplaceAll(text, []byte(replacement)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// browser runs scripts that drive a browser.
type browser struct {
	node, directory string
	env             []string
}

// newBrowser installs the scripts' dependencies. The scripts write screenshots to .run/screenshots, and those of the README to the
// directory in SCREENSHOTS, if set, which is relative to the project's.
func newBrowser(t *testing.T, s *stack) *browser {
	t.Helper()
	node, err := program.FindNode()
	if err != nil {
		t.Fatalf("%v; ./scripts/task test installs it", err)
	}
	chromium, err := program.FindChromium()
	if err != nil {
		t.Fatalf("%v; ./scripts/task test installs it", err)
	}
	if got := s.get("/"); !strings.Contains(got.body, "/assets/") {
		t.Fatalf("the storefront was not built: %s", got.body)
	}
	b := &browser{node: node.Path, directory: filepath.Join(s.root, "scripts", "systemtest", "browser")}
	pictures := os.Getenv("SCREENSHOTS")
	if pictures != "" && !filepath.IsAbs(pictures) {
		pictures = filepath.Join(s.root, pictures)
	}
	b.env = append(os.Environ(), "SCREENSHOTS="+pictures, "GATEWAY_URL="+s.env["GATEWAY_URL"],
		"ADMIN_URL="+strings.Split(s.env["ADMIN_URLS"], ",")[0], "CHROMIUM="+chromium,
		"SCREENSHOTS_ALL="+filepath.Join(s.root, ".run", "screenshots"), fmt.Sprintf("PRODUCTS=%d", shownProducts))
	install := exec.CommandContext(t.Context(), node.NPM, "ci")
	install.Dir = b.directory
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return b
}

// run runs a script. A line that the script writes to its file 3 names a step, which run executes in the test's goroutine. A line on the
// script's standard input then reports its end.
func (b *browser) run(t *testing.T, script string, steps map[string]func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // ten times the duration on an idle machine
	defer cancel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	command := exec.CommandContext(ctx, b.node, "--test-reporter=spec", script)
	command.Dir, command.Env, command.ExtraFiles = b.directory, b.env, []*os.File{writer}
	// On SIGTERM, the script closes its browser.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	var out strings.Builder
	command.Stdout, command.Stderr = &out, &out
	answers, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(reader) // ends when the script does
	for lines.Scan() {
		step := steps[lines.Text()]
		if step == nil {
			t.Errorf("%s requests the unknown step %q", script, lines.Text())
			break
		}
		step()
		if _, err := fmt.Fprintln(answers, "done"); err != nil {
			t.Errorf("%s does not wait for %q: %v", script, lines.Text(), err)
			break
		}
	}
	_ = answers.Close()
	if err := command.Wait(); err != nil {
		t.Errorf("%s: %v", script, err)
	}
	t.Log(out.String())
}
