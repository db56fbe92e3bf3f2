package command

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"systemscale/sql/printable"
)

// logEvery is how often a run that nobody watches says where it is.
const logEvery = 10 * time.Second

// progress shows how far something is, the reading as a rule: a bar on a terminal, a log line now and then elsewhere.
type progress struct {
	stderr io.Writer
	bar    *progressbar.ProgressBar // nil elsewhere
	log    *slog.Logger
	what   string
	done   string             // what has been done to so much of the total
	format func(int64) string // writes so much
	total  int64
	began  time.Time
	anew   time.Time // when what is under way was begun
	last   int64     // done, when that was asked last
	said   time.Time
}

// newProgress shows the reading of total bytes, which is done to do what.
func newProgress(stderr io.Writer, total int64, what string) *progress {
	p := &progress{stderr: stderr, what: what, done: "read", format: size, total: total}
	return p.begin("read, join, render, "+what, true)
}

// newCount shows how many of total things have been done.
func newCount(stderr io.Writer, total int64, what, done string) *progress {
	p := &progress{stderr: stderr, what: what, done: done, format: count, total: total}
	return p.begin(what, false)
}

func (p *progress) begin(description string, bytes bool) *progress {
	p.log = slog.New(slog.NewTextHandler(p.stderr, nil))
	p.began, p.anew, p.said = time.Now(), time.Now(), time.Now()
	terminal := p.stderr
	if escaped, ok := terminal.(*printable.Writer); ok {
		terminal = escaped.Unwrap() // the bar moves the cursor
	}
	if file, ok := terminal.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions64(p.total,
			progressbar.OptionSetWriter(terminal),
			progressbar.OptionSetDescription(description),
			progressbar.OptionShowBytes(bytes),
			progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true),
		)
	}
	return p
}

// at shows how much has been done. Less than before says that it was begun anew.
func (p *progress) at(done int64) {
	if done < p.last {
		p.anew = time.Now()
	}
	p.last = done
	if p.bar == nil && time.Since(p.said) < logEvery {
		return
	}
	if p.bar != nil {
		_ = p.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
		return
	}
	p.said = time.Now()
	spent := time.Since(p.began)
	left := time.Duration(float64(time.Since(p.anew)) * float64(p.total-done) / float64(max(done, 1)))
	p.log.Info(p.what, p.done, p.format(done), "of", p.format(p.total), "spent", spent.Round(time.Second), "left", left.Round(time.Second))
}

// finish completes the bar, unless err says that it will not be, and ends its line.
func (p *progress) finish(err error) {
	if p.bar != nil {
		if err == nil {
			_ = p.bar.Finish()
		}
		_, _ = fmt.Fprintln(p.stderr)
	}
}

// phase says what begins after the reading.
func (p *progress) phase(name string) {
	if p.bar != nil {
		_, _ = fmt.Fprintf(p.stderr, "%s, after %.1f s\n", name, time.Since(p.began).Seconds())
		return
	}
	p.log.Info(name, "spent", time.Since(p.began).Round(10*time.Millisecond))
}

// size writes a number of bytes for people, in powers of 1000.
func size(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
