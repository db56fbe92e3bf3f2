package store

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
)

var whole = sql.Endpoint{Name: "whole"}

// lines is a log that is read while it is written.
type lines struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *lines) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// TestReservedNamesAreNotServed covers rows that an older ETL, or another program, has written.
func TestReservedNamesAreNotServed(t *testing.T) {
	log := new(lines)
	f := newFixture(t, 1, Options{Poll: 5 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil))})
	refused := []string{"item", "api", "assets", "-", "Docs"}
	for _, name := range refused {
		f.publisher.Publish(name, publishtest.Table{Endpoint: whole, Rows: []publishtest.Row{publishtest.NewRow("whole", 1, 1)}})
	}
	run := f.publish(2, 1)
	f.publisher.Publish("last", publishtest.Table{Endpoint: whole, Rows: []publishtest.Row{publishtest.NewRow("whole", 1, 1)}})
	publishtest.Eventually(t, "the last collection is served", func() bool { return f.Snapshot().Collection([]byte("last")) != nil })
	if got := f.Snapshot().Collection([]byte(collection)); got == nil || got.Run != run {
		t.Errorf("the other collection is %+v, want run %d", got, run)
	}
	for _, name := range refused {
		if f.Snapshot().Collection([]byte(name)) != nil {
			t.Errorf("%s is served", name)
		}
		if lines := strings.Count(log.String(), "collection="+name+" "); lines != 1 {
			t.Errorf("the log has %d lines about %s, want one: %s", lines, name, log)
		}
	}
}
