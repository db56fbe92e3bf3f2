package command

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestProgressMessages(t *testing.T) {
	for want, begin := range map[string]func(*bytes.Buffer) *progress{
		`msg=compare read="1.5 kB" of="3.0 kB"`:                 func(log *bytes.Buffer) *progress { return newProgress(log, 3000, "compare") },
		`msg="refresh the gateways" "looked up"=1,500 of=3,000`: func(log *bytes.Buffer) *progress { return newCount(log, 3000, "refresh the gateways", "looked up") },
	} {
		var log bytes.Buffer
		p := begin(&log)
		p.at(1000)
		if log.Len() > 0 {
			t.Errorf("a message at the start: %s", &log)
		}
		p.logged = time.Time{}
		p.at(1500)
		p.at(2000)
		if got := log.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("message %s, want %s", got, want)
		}
	}
}
