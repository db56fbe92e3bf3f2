package systemtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"systemscale/infra/nginx"
	"systemscale/infra/process"
	"systemscale/infra/program"
)

// testDescription sends requests for all operations of /openapi.yaml and compares the responses with it. Every described status and
// header must occur, and no other.
func testDescription(t *testing.T, s *stack, p *postgresServer, csv string) {
	before := liveVersion(t, s)
	change(t, csv, "product.csv", `(?m)^(2,"Bright Future Sunglasses",.*),69$`, "$1,71")
	s.etl("run", "--csv", csv, "--gateway", s.env["GATEWAYS"])
	publishBooks(t, s)
	d := describe(t, s, before)
	for _, o := range d.operations {
		good := o.address(t, nil)
		for _, server := range o.prefixes {
			d.get(t, o, s.get(server+good), http.StatusOK)
			d.get(t, o, s.get(server+good, "Accept-Encoding", "gzip"), http.StatusOK)
		}
		ok := s.get(good, "X-Request-ID", "of-this-test")
		d.get(t, o, ok, http.StatusOK)
		if id := ok.header.Get("X-Request-ID"); id != "of-this-test" {
			t.Errorf("GET %s: X-Request-ID is %q", good, id)
		}
		d.get(t, o, s.get(good, "If-None-Match", ok.header.Get("ETag")), http.StatusNotModified)
		if o.responses["404"] != nil && o.id != "getLicenses" {
			none := map[string]string{"product_id": "999999999", "id": "999999999", "file": "none.js"}
			if o.id == "showProduct" {
				none["product_id"] = "none" // the storefront detects missing products itself
			}
			d.get(t, o, s.get(o.address(t, none)), http.StatusNotFound)
			d.get(t, o, s.get(o.address(t, none), "Accept", "text/html"), http.StatusNotFound)
		}
		if o.responses["410"] != nil {
			d.get(t, o, s.get(o.address(t, map[string]string{"since": "0"})), http.StatusGone)
		}
		if o.responses["400"] != nil {
			separator := "?"
			if strings.Contains(good, "?") {
				separator = "&"
			}
			d.get(t, o, s.get(good+separator+"unknown=1"), http.StatusBadRequest)
			d.get(t, o, s.get(good+separator+"unknown=1", "Accept", "text/html"), http.StatusBadRequest)
			d.get(t, o, s.get(good+separator+"utm_source=test"), http.StatusOK)
		}
		for _, values := range o.refused() {
			bad := o.address(t, values)
			d.get(t, o, s.get(bad), http.StatusBadRequest)
		}
		for _, values := range o.accepted() {
			extreme := o.address(t, values)
			if got := s.get(extreme); got.status == http.StatusBadRequest {
				t.Errorf("GET %s: %s, but the description allows it", extreme, got.body)
			}
		}
		d.others(t, s, o, good, ok)
	}
	d.feed(t, s, before)
	d.undescribed(t, s)

	// The limits of the operations are separate.
	limited := limitedGateway(t, s)
	for _, o := range d.operations {
		good := o.address(t, nil)
		if o.responses["429"] == nil {
			continue
		}
		eventually(t, "GET "+good+" over the rate limit", func() bool {
			got := getLimited(t, limited+good)
			if got.status == http.StatusTooManyRequests {
				d.get(t, o, got, http.StatusTooManyRequests)
			}
			return got.status == http.StatusTooManyRequests
		})
	}

	p.end(syscall.SIGINT)
	for _, o := range d.operations {
		if o.responses["503"] != nil {
			uncached := map[string]string{"product_id": "123", "id": "123", "page": "4", "count": "7", "since": before}
			d.get(t, o, s.get(o.address(t, uncached)), http.StatusServiceUnavailable)
		}
	}
	p.start()
	d.unseen(t)
}

// publishBooks publishes a second collection, which the description must then contain.
func publishBooks(t *testing.T, s *stack) {
	t.Helper()
	directory := t.TempDir()
	for name, text := range map[string]string{
		"books.yaml": `
collection: books
dialect: {null: "null"}
sources:
  book:   {file: book.csv, key: id, columns: {id: int, title: text, pages: int?}}
  loan:   {file: loan.csv, key: id, parent: book, on: book, columns: {id: int, book: int, days: int}}
documents:
  summary: {list: true, body: {id: id, title: title}}
  book: {path: "", body: {title: title, pages: pages, loans: {each: loan, as: days}}}
  loans: {path: loans, body: {each: loan, as: days}}
`,
		"book.csv": "id,title,pages\n1,a,100\n2,b,null\n", "loan.csv": "id,book,days\n1,1,7\n2,1,14\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.etl("run", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
	// Each instance learns of the collection at another time.
	for _, address := range strings.Split(s.env["API_URLS"], ",") {
		eventually(t, "the books", func() bool { return s.do(http.MethodGet, address+"/books/1").status == http.StatusOK })
	}
	eventually(t, "the books in the description", func() bool {
		return strings.Contains(s.get("/openapi.yaml").body, "\n  /books/{id}/loans:\n")
	})
}

// description is the content of /openapi.yaml.
type description struct {
	document   any
	compiler   *jsonschema.Compiler
	operations []*operation
	expected   map[string]bool // described statuses of operations and headers of responses; true if one occurred
	reported   map[string]bool // errors, which are reported once
}

type operation struct {
	id, path   string
	since      string   // a version for the change feed
	prefixes   []string // of the path, one per server
	pointer    string   // JSON pointer to the operation
	parameters []map[string]any
	responses  map[string]any    // by status, with references resolved
	pointers   map[string]string // JSON pointers to the responses, by status
}

const descriptionURL = "http://description/openapi.json"

// describe reads the description. before is the previous version of products.
func describe(t *testing.T, s *stack, before string) *description {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(s.get("/openapi.yaml").body))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{compiler: jsonschema.NewCompiler(), expected: map[string]bool{}, reported: map[string]bool{}}
	if d.document, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(descriptionURL, d.document); err != nil {
		t.Fatal(err)
	}
	root := d.document.(map[string]any)
	paths := root["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for method, described := range paths[path].(map[string]any) {
			if method == "servers" {
				continue
			}
			if method != "get" {
				t.Fatalf("%s %s: this test supports only GET", method, path)
			}
			described := described.(map[string]any)
			o := &operation{
				id: described["operationId"].(string), path: path, pointer: "/paths/" + escape(path) + "/get",
				responses: map[string]any{}, pointers: map[string]string{},
			}
			if o.since = before; strings.HasPrefix(path, "/books/") {
				o.since = s.get("/books/1").header.Get("X-Data-Version")
			}
			servers, own := paths[path].(map[string]any)["servers"]
			if !own {
				servers = root["servers"]
			}
			o.prefixes = prefixes(servers.([]any))
			parameters, _ := described["parameters"].([]any)
			for i := range parameters {
				parameter, _ := d.follow(fmt.Sprintf("%s/parameters/%d", o.pointer, i))
				o.parameters = append(o.parameters, parameter)
			}
			for status := range described["responses"].(map[string]any) {
				response, pointer := d.follow(o.pointer + "/responses/" + status)
				o.responses[status], o.pointers[status] = response, pointer
				d.expected[o.id+" "+status] = false
				headers, _ := response["headers"].(map[string]any)
				for name := range headers {
					d.expected[pointer+" "+name] = false
				}
			}
			d.operations = append(d.operations, o)
		}
	}
	return d
}

// prefixes returns the paths of servers, with the defaults of their variables.
func prefixes(servers []any) (all []string) {
	for _, server := range servers {
		server := server.(map[string]any)
		url := strings.TrimSuffix(server["url"].(string), "/")
		variables, _ := server["variables"].(map[string]any)
		for name, variable := range variables {
			url = strings.ReplaceAll(url, "{"+name+"}", variable.(map[string]any)["default"].(string))
		}
		all = append(all, url)
	}
	return all
}

// escape escapes a name for a JSON pointer.
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// follow resolves a JSON pointer and the references at its end. It returns the object and the pointer to it.
func (d *description) follow(pointer string) (map[string]any, string) {
	node := d.document
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch parent := node.(type) {
		case map[string]any:
			node = parent[name]
		case []any:
			i, _ := strconv.Atoi(name)
			node = parent[i]
		}
	}
	found, _ := node.(map[string]any)
	if reference, is := found["$ref"].(string); is {
		return d.follow(strings.TrimPrefix(reference, "#"))
	}
	return found, pointer
}

// address returns a path of the operation with the given values, and the description's examples for other parameters.
func (o *operation) address(t *testing.T, values map[string]string) string {
	t.Helper()
	address := o.path
	var query []string
	for _, parameter := range o.parameters {
		name := parameter["name"].(string)
		value, given := values[name]
		if example, has := parameter["example"]; !given && has {
			value, given = fmt.Sprint(example), true
			if name == "since" {
				value = o.since // the example is not a version of this stack
			}
		}
		switch {
		case parameter["in"] == "path" && name == "file" && !given:
			value = builtAsset(t, strings.TrimSuffix(o.path, "{file}"))
			fallthrough
		case parameter["in"] == "path":
			address = strings.ReplaceAll(address, "{"+name+"}", value)
		case parameter["in"] == "query" && given && value != "absent":
			query = append(query, name+"="+value)
		}
	}
	return strings.TrimSuffix(address+"?"+strings.Join(query, "&"), "?")
}

// builtAsset returns the name of a built file whose path has the prefix.
func builtAsset(t *testing.T, prefix string) string {
	t.Helper()
	for _, address := range builtFiles(t) {
		if name, is := strings.CutPrefix(address, prefix); is {
			return name
		}
	}
	t.Fatalf("no file was built for %s", prefix)
	return ""
}

// builtFiles returns the paths of the built pages and assets.
func builtFiles(t *testing.T) (addresses []string) {
	t.Helper()
	site := filepath.Join("..", "..", "api", "web", "dist", "site")
	err := filepath.WalkDir(site, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			address := "/" + strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(path, site+string(filepath.Separator))), "index.html")
			if address != "/" {
				address = strings.TrimSuffix(address, "/")
			}
			addresses = append(addresses, address)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return addresses
}

// refused returns values that the description does not allow, if the operation has a 400 response.
func (o *operation) refused() (all []map[string]string) {
	if o.responses["400"] == nil {
		return nil
	}
	for _, parameter := range o.parameters {
		if parameter["in"] == "header" {
			continue
		}
		name, schema := parameter["name"].(string), parameter["schema"].(map[string]any)
		bad := []string{"x", "1.5", "+1", "01", "-0"}
		if parameter["in"] == "query" { // ids may be negative
			bad = append(bad, "-1")
		}
		if schema["minimum"] != nil && fmt.Sprint(schema["minimum"]) == "1" {
			bad = append(bad, "0")
		}
		if maximum := schema["maximum"]; maximum != nil {
			n, _ := strconv.Atoi(fmt.Sprint(maximum))
			bad = append(bad, strconv.Itoa(n+1))
		}
		if parameter["in"] == "query" {
			bad = append(bad, "")
			if parameter["required"] == any(true) {
				bad = append(bad, "absent")
			}
		}
		for _, value := range bad {
			all = append(all, map[string]string{name: value})
		}
	}
	return all
}

// accepted returns the extreme values that the description allows.
func (o *operation) accepted() (all []map[string]string) {
	for _, parameter := range o.parameters {
		schema, _ := parameter["schema"].(map[string]any)
		for _, limit := range []string{"minimum", "maximum"} {
			if value := schema[limit]; value != nil && parameter["in"] != "header" {
				all = append(all, map[string]string{parameter["name"].(string): fmt.Sprint(value)})
			}
		}
	}
	return all
}

// ordinary are headers that need no description: those of HTTP and of CORS.
var ordinary = []string{
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date",
	"Server", "Transfer-Encoding", "Vary", "X-Content-Type-Options", "Content-Security-Policy",
}

// get compares the response to a GET, which must have the status want, with the description.
func (d *description) get(t *testing.T, o *operation, got answer, want int) {
	t.Helper()
	if err := d.compare(o, got, want); err != nil && !d.reported[o.id+err.Error()] {
		d.reported[o.id+err.Error()] = true
		t.Errorf("%s (%s): %v\n%v\n%.200q", o.id, o.path, err, got.header, got.body)
	}
}

// compare returns the first difference between a response and the description.
func (d *description) compare(o *operation, got answer, want int) error {
	if got.status != want {
		return fmt.Errorf("status %d, want %d", got.status, want)
	}
	status := strconv.Itoa(got.status)
	if o.responses[status] == nil {
		status = "default"
	}
	response, has := o.responses[status].(map[string]any)
	if !has {
		return fmt.Errorf("status %d is not described", got.status)
	}
	d.expected[o.id+" "+status] = true
	if err := d.compareHeaders(o, status, response, got.header); err != nil {
		return err
	}
	contents, _ := response["content"].(map[string]any)
	if len(contents) == 0 {
		if got.body != "" {
			return errors.New("a body is not described")
		}
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil {
		return err
	}
	described := mediaType
	if contents[described] == nil {
		described = "*/*"
	}
	if contents[described] == nil {
		return fmt.Errorf("type %s is not described", mediaType)
	}
	body := got.body
	if got.header.Get("Content-Encoding") == "gzip" {
		unpacker, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			return err
		}
		unpacked, err := io.ReadAll(unpacker)
		if err != nil {
			return err
		}
		body = string(unpacked)
	}
	var value any = body
	if strings.HasSuffix(mediaType, "json") {
		if value, err = jsonschema.UnmarshalJSON(strings.NewReader(body)); err != nil {
			return err
		}
	}
	return d.validate(o.pointers[status]+"/content/"+escape(described)+"/schema", value)
}

func (d *description) compareHeaders(o *operation, status string, response map[string]any, got http.Header) error {
	headers, _ := response["headers"].(map[string]any)
	described := map[string]bool{}
	for name := range headers {
		described[http.CanonicalHeaderKey(name)] = true
		value := got.Get(name)
		if value == "" {
			continue
		}
		d.expected[o.pointers[status]+" "+name] = true
		header, pointer := d.follow(o.pointers[status] + "/headers/" + escape(name))
		var typed any = value
		if schema, _ := header["schema"].(map[string]any); schema["type"] == "integer" {
			number, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
			typed = number
		}
		if err := d.validate(pointer+"/schema", typed); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	for name := range got {
		if !described[name] && !slices.Contains(ordinary, name) {
			return fmt.Errorf("header %s is not described", name)
		}
	}
	return nil
}

func (d *description) validate(pointer string, value any) error {
	schema, err := d.compiler.Compile(descriptionURL + "#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// others checks other methods, and a request with a header that is too long.
func (d *description) others(t *testing.T, s *stack, o *operation, address string, ok answer) {
	t.Helper()
	url := s.env["GATEWAY_URL"] + address
	head := s.do(http.MethodHead, url)
	if head.status != http.StatusOK || head.body != "" || head.header.Get("ETag") != ok.header.Get("ETag") {
		t.Errorf("HEAD %s: %d %v", address, head.status, head.header)
	}
	if got := s.do(http.MethodOptions, url); got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("OPTIONS %s: %d %v", address, got.status, got.header)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		d.get(t, o, s.do(method, url), http.StatusMethodNotAllowed)
	}
	d.get(t, o, s.get(address, "X-Long", strings.Repeat("x", 20_000)), http.StatusRequestHeaderFieldsTooLarge)
}

// feed reads the change feed since a version to its end, one change per page.
func (d *description) feed(t *testing.T, s *stack, since string) {
	t.Helper()
	changes := d.operations[slices.IndexFunc(d.operations, func(o *operation) bool { return o.id == "listChanges" })]
	seen := 0
	for next := "/products/changes?count=1&since=" + since; next != ""; seen++ {
		got := s.get(next)
		d.get(t, changes, got, http.StatusOK)
		var page struct {
			Next    string `json:"next"`
			Changes []any  `json:"changes"`
		}
		if err := yaml.Unmarshal([]byte(got.body), &page); err != nil || len(page.Changes) != 1 {
			t.Fatalf("GET %s: %v %s", next, err, got.body)
		}
		next = page.Next
	}
	if seen < 2 { // those of the summary and of the product
		t.Errorf("the feed has %d changes", seen)
	}
}

// undescribed checks that the built files, the routes in the instances' metrics and a list of further paths are described or not found.
func (d *description) undescribed(t *testing.T, s *stack) {
	t.Helper()
	var patterns []*regexp.Regexp
	parameter := regexp.MustCompile(`\\\{[a-z_]+\\\}`)
	for _, o := range d.operations {
		patterns = append(patterns, regexp.MustCompile("^"+parameter.ReplaceAllString(regexp.QuoteMeta(o.path), "[^/]+")+"$"))
	}
	described := func(path string) bool {
		return slices.ContainsFunc(patterns, func(pattern *regexp.Regexp) bool { return pattern.MatchString(path) })
	}
	for _, address := range builtFiles(t) {
		if got := s.get(address); got.status != http.StatusOK || !described(address) {
			t.Errorf("GET %s: %d; described: %v", address, got.status, described(address))
		}
	}
	counted := regexp.MustCompile(`systemscale_http_request_duration_seconds_count\{route="([^"]+)"`)
	routes := map[string]bool{}
	for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
		text := s.do(http.MethodGet, admin+"/metrics").body
		for _, found := range counted.FindAllStringSubmatch(text, -1) {
			routes[found[1]] = true
		}
	}
	if !routes["/products/{id}/styles"] {
		t.Errorf("the routes in the metrics are %v", routes)
	}
	for route := range routes {
		if route != "other" && route != "pages" && !described(route) {
			t.Errorf("%s is served and not described", route)
		}
	}
	for _, path := range []string{
		"/nothing", "/api", "/metrics", "/live", "/ready", "/version", "/status", "/debug/pprof/", "/cached/products/1",
		"/refresh/products/1", "/-/problem", "/-/cached", "/index.html", "/docs/index.html", "/item", "/item/1/styles", "/assets", "/products/1/reviews",
		"/products/1/summary", "/products/1/styles/1", "/product/1",
		"/products/changes/1", "/books/1/reviews", "/openapi.json", "/openapi", "/robots.txt",
		"/favicon.ico", "/.git/config", "/sources.sha256", "/dist/site/index.html",
	} {
		if got := s.get(path); !isProblem(got, http.StatusNotFound) {
			t.Errorf("GET %s: %d %.100q is not described", path, got.status, got.body)
		}
	}
}

// unseen reports described statuses and headers that did not occur.
func (d *description) unseen(t *testing.T) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(d.expected)) {
		// Licenses are missing only if the pages are not built. Unexpected describes the headers of various errors.
		if !d.expected[what] && !strings.HasPrefix(what, "getLicenses 404") &&
			!strings.HasPrefix(what, "/components/responses/Unexpected ") {
			t.Errorf("described, but did not occur: %s", what)
		}
	}
}

// limitedClient is a client with an address that is rate-limited.
var limitedClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
	DisableCompression: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext,
}}

func getLimited(t *testing.T, url string) answer {
	t.Helper()
	response, err := limitedClient.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// limitedGateway starts another NGINX in front of the instances, with a limit, and returns its address.
func limitedGateway(t *testing.T, s *stack) string {
	t.Helper()
	installation, err := program.FindNGINX()
	if err != nil {
		t.Fatal(err)
	}
	account, err := process.Unprivileged(nginx.Accounts...)
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir(): only its owner may enter it.
	directory, err := os.MkdirTemp("", "limited-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	limited := nginx.Gateway{
		NGINX: installation, Prefix: directory, Listen: "127.0.0.1:" + freePort(t), Refresh: "127.0.0.1:" + freePort(t),
		Refreshers: []string{"127.0.0.1"}, Unlimited: []string{"127.0.0.1"}, Sockets: filepath.Join(directory, "run"),
		CacheSize: 10 << 20, RateLimit: 1, Log: filepath.Join(directory, "log"), Account: account,
	}
	for _, instance := range pids(t, s).Instances {
		limited.Upstreams = append(limited.Upstreams, "unix:"+instance.Socket)
	}
	if _, err := limited.Configure(t.Context()); err != nil {
		t.Fatal(err)
	}
	running, err := limited.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nginx.Stop(context.Background(), running.Identity); err != nil {
			t.Error(err)
		}
	})
	return "http://" + limited.Listen
}
