package measure

import (
	"context"
	"os"
	"runtime"
	"strings"

	"systemscale/sql"
)

// Machine describes the machine and the versions with which something was measured.
type Machine struct {
	CPUs     int    `json:"cpus"`
	CPU      string `json:"cpu"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
	NGINX    string `json:"nginx,omitempty"`
}

// DescribeMachine returns this machine, with the version of the PostgreSQL server at the URL and without that of NGINX.
func DescribeMachine(ctx context.Context, databaseURL string) (Machine, error) {
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return Machine{}, err
	}
	defer func() { _ = conn.Close(ctx) }()
	return Machine{
		CPUs: runtime.NumCPU(), CPU: cpuModel(), Go: runtime.Version(), Postgres: conn.PgConn().ParameterStatus("server_version"),
	}, nil
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
