package monitoring_test

// situation has series as promtool reads them, with a value every 15 seconds after two spaces, and the time at which the alerts are evaluated.
type situation struct {
	series []string
	at     string
}

// alertCase has a situation in which an alert fires once, and others, close to it, in which it does not.
type alertCase struct {
	fires   situation
	labels  map[string]string // of the alert, besides those of the rule
	summary string
	quiet   []situation
}

// Two instances of the API and the one label that each alert of an instance has.
var (
	second  = map[string]string{"instance": "b", "job": "systemscale-api"}
	things  = map[string]string{"instance": "b", "job": "systemscale-api", "collection": "things"}
	nightly = map[string]string{"instance": "n", "job": "node", "collection": "things"}
)

var alertCases = map[string]alertCase{
	"NoInstanceAnswers": {
		fires: situation{[]string{
			`up{job="systemscale-api", instance="a"}  1 1 0x10`,
			`up{job="systemscale-api", instance="b"}  1 1 0x10`,
			`up{job="node", instance="n"}  1x20`,
		}, "1m15s"},
		summary: "No API instance can be reached",
		quiet: []situation{
			{[]string{`up{job="systemscale-api", instance="a"}  0x20`, `up{job="systemscale-api", instance="b"}  1x20`}, "5m"},
			{[]string{`up{job="systemscale-api", instance="a"}  1 1 0 1x10`}, "1m"},
		},
	},
	"InstanceDown": {
		fires: situation{[]string{
			`up{job="systemscale-api", instance="a"}  1x20`,
			`up{job="systemscale-api", instance="b"}  1 0x20`,
			`up{job="node", instance="n"}  0x20`,
		}, "2m15s"},
		labels: second, summary: "API instance b cannot be reached",
		quiet: []situation{{[]string{`up{job="systemscale-api", instance="b"}  1 0x7 1x12`}, "2m15s"}},
	},
	"AnswersFail": {
		fires: situation{[]string{
			`systemscale_http_request_duration_seconds_count{job="systemscale-api", instance="b", status="503"}  0+12x60`,
			`systemscale_http_request_duration_seconds_count{job="systemscale-api", instance="b", status="200"}  0+588x60`,
		}, "8m"},
		summary: "2% of the API's responses are 5xx",
		quiet: []situation{{[]string{
			`systemscale_http_request_duration_seconds_count{job="systemscale-api", instance="b", status="503"}  0+6x60`,
			`systemscale_http_request_duration_seconds_count{job="systemscale-api", instance="b", status="404"}  0+300x60`,
			`systemscale_http_request_duration_seconds_count{job="systemscale-api", instance="b", status="200"}  0+594x60`,
		}, "8m"}},
	},
	"AnswersAreSlow": {
		fires: situation{[]string{
			`systemscale_http_request_duration_seconds_bucket{job="systemscale-api", instance="b", le="0.1"}  0+980x100`,
			`systemscale_http_request_duration_seconds_bucket{job="systemscale-api", instance="b", le="0.3"}  0+1000x100`,
			`systemscale_http_request_duration_seconds_bucket{job="systemscale-api", instance="b", le="+Inf"}  0+1000x100`,
		}, "20m"},
		summary: "One response in a hundred takes longer than 200ms",
		quiet: []situation{{[]string{
			`systemscale_http_request_duration_seconds_bucket{job="systemscale-api", instance="b", le="0.1"}  0+991x100`,
			`systemscale_http_request_duration_seconds_bucket{job="systemscale-api", instance="b", le="0.3"}  0+1000x100`,
			`systemscale_http_request_duration_seconds_bucket{job="systemscale-api", instance="b", le="+Inf"}  0+1000x100`,
		}, "20m"}},
	},
	"DatabaseLost": {
		fires: situation{[]string{
			`systemscale_database_connections{job="systemscale-api", instance="a"}  2x20`,
			`systemscale_database_connections{job="systemscale-api", instance="b"}  2 0x20`,
		}, "45s"},
		labels: second, summary: "API instance b has no connection to the database",
		quiet: []situation{{[]string{`systemscale_database_connections{job="systemscale-api", instance="b"}  2 0 1x20`}, "45s"}},
	},
	"ConnectionsTurnedAway": {
		fires: situation{[]string{
			`systemscale_http_refused_connections_total{job="systemscale-api", instance="a"}  7x40`,
			`systemscale_http_refused_connections_total{job="systemscale-api", instance="b"}  0+1x40`,
		}, "6m"},
		labels: second, summary: "API instance b refuses connections",
		quiet: []situation{{[]string{`systemscale_http_refused_connections_total{job="systemscale-api", instance="b"}  0 9x40`}, "6m"}},
	},
	"InstanceIsBehind": {
		fires: situation{[]string{
			`systemscale_data_version{job="systemscale-api", instance="a", collection="things"}  1 2x20`,
			`systemscale_data_version{job="systemscale-api", instance="b", collection="things"}  1x20`,
			`systemscale_data_version{job="systemscale-api", instance="b", collection="others"}  9x20`,
		}, "1m15s"},
		labels: things, summary: "API instance b serves an old version of things",
		quiet: []situation{{[]string{
			`systemscale_data_version{job="systemscale-api", instance="a", collection="things"}  1 2x20`,
			`systemscale_data_version{job="systemscale-api", instance="b", collection="things"}  1 1 2x20`,
			`systemscale_data_version{job="systemscale-api", instance="b", collection="others"}  1x20`,
		}, "1m15s"}},
	},
	"DatabaseHostIsBehind": {
		fires: situation{[]string{
			`systemscale_data_version{job="systemscale-api", instance="b", collection="things"}  2x60`,
			`systemscale_database_host_version{job="systemscale-api", instance="b", host="first", collection="things"}  2x60`,
			`systemscale_database_host_version{job="systemscale-api", instance="b", host="other", collection="things"}  1x60`,
		}, "11m"},
		labels: map[string]string{"host": "other", "collection": "things"}, summary: "Database host other has an old version of things",
		quiet: []situation{{[]string{
			`systemscale_data_version{job="systemscale-api", instance="b", collection="things"}  2x60`,
			`systemscale_database_host_version{job="systemscale-api", instance="b", host="other", collection="things"}  1x39 2x20`,
		}, "11m"}},
	},
	"ReplicaLags": {
		fires: situation{[]string{
			`systemscale_database_host_lag_bytes{job="systemscale-api", instance="a", host="first"}  0x60`,
			`systemscale_database_host_lag_bytes{job="systemscale-api", instance="a", host="other"}  300000000x60`,
			`systemscale_database_host_lag_bytes{job="systemscale-api", instance="b", host="other"}  310000000x60`,
		}, "11m"},
		labels: map[string]string{"host": "other"}, summary: "Database host other has 300MB of the log to replay",
		quiet: []situation{
			{[]string{`systemscale_database_host_lag_bytes{job="systemscale-api", instance="a", host="other"}  250000000x60`}, "11m"},
			{[]string{
				`systemscale_database_host_lag_bytes{job="systemscale-api", instance="a", host="other"}  300000000x30 0x30`,
				`systemscale_database_host_lag_bytes{job="systemscale-api", instance="b", host="other"}  310000000x60`,
			}, "11m"},
		},
	},
	"DatabaseHostDown": {
		fires: situation{[]string{
			`systemscale_database_host_up{job="systemscale-api", instance="a", host="first"}  1x60`,
			`systemscale_database_host_up{job="systemscale-api", instance="a", host="other"}  0x60`,
			`systemscale_database_host_up{job="systemscale-api", instance="b", host="other"}  0x60`,
		}, "3m"},
		labels: map[string]string{"host": "other"}, summary: "Database host other cannot be read by any API instance",
		quiet: []situation{
			{[]string{
				`systemscale_database_host_up{job="systemscale-api", instance="a", host="other"}  0x60`,
				`systemscale_database_host_up{job="systemscale-api", instance="b", host="other"}  1x60`,
			}, "3m"},
			{[]string{`systemscale_database_host_up{job="systemscale-api", instance="a", host="other"}  0x7 1x20`}, "3m"},
		},
	},
	"NoPrimary": {
		fires: situation{[]string{
			`systemscale_database_host_standby{job="systemscale-api", instance="a", host="other"}  1x60`,
			`systemscale_database_host_standby{job="systemscale-api", instance="b", host="other"}  1x60`,
		}, "2m"},
		summary: "All database hosts that can be read are standbys",
		quiet: []situation{
			{[]string{
				`systemscale_database_host_standby{job="systemscale-api", instance="a", host="first"}  0x60`,
				`systemscale_database_host_standby{job="systemscale-api", instance="a", host="other"}  1x60`,
			}, "2m"},
			{[]string{`systemscale_database_connections{job="systemscale-api", instance="a"}  2x60`}, "2m"},
		},
	},
	"DocumentCacheDown": {
		fires: situation{[]string{
			`systemscale_document_cache_up{job="systemscale-api", instance="a"}  1x40`,
			`systemscale_document_cache_up{job="systemscale-api", instance="b"}  0x40`,
		}, "6m"},
		labels: second, summary: "API instance b does not use its document cache",
		quiet: []situation{{[]string{`systemscale_document_cache_up{job="systemscale-api", instance="b"}  0x19 1 0x20`}, "6m"}},
	},
	"DocumentCacheRefusesDocuments": {
		fires: situation{[]string{
			`systemscale_document_cache_fills_total{job="systemscale-api", instance="b", outcome="failed"}  0+1x100`,
			`systemscale_document_cache_fills_total{job="systemscale-api", instance="b", outcome="stored"}  0+9x100`,
		}, "15m"},
		labels:  map[string]string{"instance": "b", "job": "systemscale-api", "outcome": "failed"},
		summary: "The document cache of API instance b does not store documents",
		quiet: []situation{{[]string{
			`systemscale_document_cache_fills_total{job="systemscale-api", instance="b", outcome="failed"}  5x100`,
			`systemscale_document_cache_fills_total{job="systemscale-api", instance="b", outcome="stored"}  0+9x100`,
		}, "15m"}},
	},
	"CacheDiskFull": {
		fires: situation{[]string{
			`node_filesystem_avail_bytes{job="node", instance="n", mountpoint="/dev/shm"}  4x20`,
			`node_filesystem_size_bytes{job="node", instance="n", mountpoint="/dev/shm"}  100x20`,
			`node_filesystem_files_free{job="node", instance="n", mountpoint="/dev/shm"}  50x20`,
			`node_filesystem_files{job="node", instance="n", mountpoint="/dev/shm"}  100x20`,
		}, "2m"},
		labels:  map[string]string{"instance": "n", "job": "node", "mountpoint": "/dev/shm"},
		summary: "The file system /dev/shm of NGINX's cache on n is nearly full",
		quiet: []situation{{[]string{
			`node_filesystem_avail_bytes{job="node", instance="n", mountpoint="/var/cache/nginx"}  6x20`,
			`node_filesystem_size_bytes{job="node", instance="n", mountpoint="/var/cache/nginx"}  100x20`,
			`node_filesystem_avail_bytes{job="node", instance="n", mountpoint="/"}  1x20`,
			`node_filesystem_size_bytes{job="node", instance="n", mountpoint="/"}  100x20`,
			`node_filesystem_files_free{job="node", instance="n", mountpoint="/dev/shm"}  6x20`,
			`node_filesystem_files{job="node", instance="n", mountpoint="/dev/shm"}  100x20`,
		}, "2m"}},
	},
	"RunFailed": {
		fires: situation{[]string{
			`systemscale_etl_last_run_exit_code{job="node", instance="n", collection="things"}  0 22`,
			`systemscale_etl_last_run_success{job="node", instance="n", collection="things"}  1 0`,
		}, "15s"},
		labels: nightly, summary: "The last run of things failed with exit code 22",
		quiet: []situation{
			{[]string{
				`systemscale_etl_last_run_exit_code{job="node", instance="n", collection="things"}  22 0`,
				`systemscale_etl_last_run_success{job="node", instance="n", collection="things"}  0 1`,
			}, "15s"},
			{[]string{
				`systemscale_etl_last_run_exit_code{job="node", instance="n", collection="things"}  0 7`,
				`systemscale_etl_last_run_success{job="node", instance="n", collection="things"}  1 0`,
			}, "15s"},
		},
	},
	"RunsOnHold": {
		fires:  situation{[]string{`systemscale_etl_on_hold{job="node", instance="n", collection="things"}  0 1`}, "15s"},
		labels: nightly, summary: "Runs of things are on hold",
		quiet: []situation{{[]string{`systemscale_etl_on_hold{job="node", instance="n", collection="things"}  1 0`}, "15s"}},
	},
	"NoRun": {
		// The tests begin in 1970: the last run was 100,000 seconds before.
		fires:  situation{[]string{`systemscale_etl_last_run_timestamp_seconds{job="node", instance="n", collection="things"}  -100000x1`}, "15s"},
		labels: nightly, summary: "The ETL has not run for things since 1d 3h 46m 55s",
		quiet: []situation{{[]string{`systemscale_etl_last_run_timestamp_seconds{job="node", instance="n", collection="things"}  -93000x1`}, "15s"}},
	},
	"GatewayNotRefreshed": {
		fires: situation{[]string{
			`systemscale_etl_cache_told{job="node", instance="n", collection="things", node="http://first"}  1`,
			`systemscale_etl_cache_told{job="node", instance="n", collection="things", node="http://other"}  0`,
		}, "15s"},
		labels:  map[string]string{"instance": "n", "job": "node", "collection": "things", "node": "http://other"},
		summary: "The gateway http://other was not refreshed after a run of things",
		quiet: []situation{
			{[]string{`systemscale_etl_cache_told{job="node", instance="n", collection="things", node="http://other"}  0 1`}, "15s"},
		},
	},
	"RowsRejected": {
		fires: situation{[]string{
			`systemscale_etl_rows{job="node", instance="n", collection="things", file="thing.csv", fate="rejected"}  3`,
			`systemscale_etl_rows{job="node", instance="n", collection="things", file="thing.csv", fate="used"}  900`,
			`systemscale_etl_rows{job="node", instance="n", collection="things", file="other.csv", fate="rejected"}  0`,
		}, "15s"},
		labels:  map[string]string{"collection": "things", "file": "thing.csv"},
		summary: "3 rows of thing.csv were rejected",
		quiet: []situation{{[]string{
			`systemscale_etl_rows{job="node", instance="n", collection="things", file="thing.csv", fate="rejected"}  0`,
			`systemscale_etl_rows{job="node", instance="n", collection="things", file="thing.csv", fate="filtered"}  3`,
		}, "15s"}},
	},
}
