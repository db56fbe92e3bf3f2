module systemscale

go 1.26.0

// npm packages may hold Go files of their own
ignore (
	./api/web/node_modules
	./scripts/ladder/express/node_modules
	./scripts/systemtest/browser/node_modules
)

require (
	// command lines from structs: help, environment variables and validation in one place
	github.com/alecthomas/kong v1.17.0
	// sizes, counts and English plurals, as people read them
	github.com/dustin/go-humanize v1.0.1
	// what little JSON is encoded outside the renderer
	github.com/goccy/go-json v0.12.0
	// shape files: its syntax tree knows line and column of every node
	github.com/goccy/go-yaml v1.19.2
	// the API's HTTP
	github.com/gofiber/fiber/v2 v2.52.15
	// the schema's versions
	github.com/golang-migrate/migrate/v4 v4.20.1
	// SQLSTATEs by name
	github.com/jackc/pgerrcode v0.0.0-20220416144525-469b46aa5efa
	// Postgres: binary COPY, pipelined batches
	github.com/jackc/pgx/v5 v5.12.0
	// .csv.gz and .csv.zst: the one library that reads both, in Go
	github.com/klauspost/compress v1.20.3
	// the document cache in memory: bounded by bytes, keeps what is read often, no allocation for a read
	github.com/maypok86/otter/v2 v2.4.0
	// etags: 64 bits with a secret key, which no one can forge, at several GB/s
	github.com/minio/highwayhash v1.0.4
	// metrics, in the form that operators collect
	github.com/prometheus/client_golang v1.25.0
	// the document cache in Redis: concurrent reads share round trips
	github.com/redis/rueidis v1.0.79
	// JSON Schema 2020-12: do the API's answers agree with its description?
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	// the bar on a terminal
	github.com/schollz/progressbar/v3 v3.19.1
	// constant rates that do not depend on the responses, for the ladder
	github.com/tsenart/vegeta/v12 v12.13.0
	// what Fiber stands on: response buffers that can be swapped, so that a body is copied once
	github.com/valyala/fasthttp v1.78.0
	// hashes of rows, keys and files that need not resist forgery, at memory speed
	github.com/zeebo/xxh3 v1.1.0
	// errgroup: COPY streams that fail together; singleflight: one page for all who ask
	golang.org/x/sync v0.24.0
	// is somebody watching?
	golang.org/x/term v0.47.0
)

require (
	// reads the Compose file as Docker Compose does, in tests
	github.com/compose-spec/compose-go/v2 v2.16.2
	// differences that a person can read, in tests
	github.com/google/go-cmp v0.7.0
	// Grafana's own types of dashboards and panels: has the dashboard their form?
	github.com/grafana/grafana-foundation-sdk/go v0.0.22
	// the form of a collected metric, which the dashboard reads
	github.com/prometheus/client_model v0.6.3
	// reads the metrics of other instances, for the dashboard
	github.com/prometheus/common v0.72.0
)

require (
	// the weights of fonts in charts
	golang.org/x/image v0.30.0
	// charts of measurements as SVG: axes, scales, the widths of texts
	gonum.org/v1/plot v0.17.0
)

require (
	// the objects of the Prometheus Operator, in tests
	github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring v0.95.2
	// the objects of Kubernetes, and how an API server decodes them strictly, in tests
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	// what kubectl apply -k renders, in tests
	sigs.k8s.io/kustomize/api v0.21.2
	sigs.k8s.io/kustomize/kyaml v0.21.2
	// YAML as Kubernetes reads it, in tests
	sigs.k8s.io/yaml v1.6.0
)

require (
	codeberg.org/go-fonts/liberation v0.5.0 // indirect
	codeberg.org/go-latex/latex v0.2.0 // indirect
	codeberg.org/go-pdf/fpdf v0.11.1 // indirect
	git.sr.ht/~sbinet/gg v0.7.0 // indirect
	github.com/ajstarks/svgo v0.0.0-20211024235047-1546f124cd8b // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/blang/semver/v4 v4.0.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/distribution/reference v0.6.0 // indirect
	github.com/docker/go-connections v0.7.0 // indirect
	github.com/docker/go-units v0.5.0 // indirect
	github.com/fxamacker/cbor/v2 v2.9.3 // indirect
	github.com/go-errors/errors v1.5.1 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-openapi/jsonpointer v1.0.0 // indirect
	github.com/go-openapi/jsonreference v1.0.0 // indirect
	github.com/go-openapi/swag v0.27.1 // indirect
	github.com/go-openapi/swag/cmdutils v0.27.1 // indirect
	github.com/go-openapi/swag/conv v0.27.1 // indirect
	github.com/go-openapi/swag/fileutils v0.27.1 // indirect
	github.com/go-openapi/swag/jsonutils v0.27.1 // indirect
	github.com/go-openapi/swag/loading v0.27.1 // indirect
	github.com/go-openapi/swag/mangling v0.27.1 // indirect
	github.com/go-openapi/swag/netutils v0.27.1 // indirect
	github.com/go-openapi/swag/pools v0.27.1 // indirect
	github.com/go-openapi/swag/stringutils v0.27.1 // indirect
	github.com/go-openapi/swag/typeutils v0.27.1 // indirect
	github.com/go-openapi/swag/yamlutils v0.27.1 // indirect
	github.com/go-viper/mapstructure/v2 v2.4.0 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	github.com/google/gnostic-models v0.7.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/influxdata/tdigest v0.0.1 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/josharian/intern v1.0.0 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/mailru/easyjson v0.7.7 // indirect
	github.com/mattn/go-colorable v0.1.13 // indirect
	github.com/mattn/go-isatty v0.0.22 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/mattn/go-shellwords v1.0.12 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.3-0.20250322232337-35a7c28c31ee // indirect
	github.com/molecule-man/go-brrr v1.3.1 // indirect
	github.com/monochromegane/go-gitignore v0.0.0-20200626010858-205db1a8cc00 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/rs/dnscache v0.0.0-20230804202142-fc85eb664529 // indirect
	github.com/sirupsen/logrus v1.10.1 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	github.com/xhit/go-str2duration/v2 v2.1.0 // indirect
	github.com/xlab/treeprint v1.2.0 // indirect
	go.yaml.in/yaml/v2 v2.4.4 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	go.yaml.in/yaml/v4 v4.0.0-rc.4 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	gopkg.in/evanphx/json-patch.v4 v4.13.0 // indirect
	gopkg.in/inf.v0 v0.9.1 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
	k8s.io/kube-openapi v0.0.0-20260821135717-be32def86098 // indirect
	k8s.io/utils v0.0.0-20261023123148-ca04ba58ecab // indirect
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730 // indirect
	sigs.k8s.io/randfill v1.0.0 // indirect
	sigs.k8s.io/structured-merge-diff/v6 v6.4.2 // indirect
)
