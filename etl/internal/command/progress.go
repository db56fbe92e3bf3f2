package command

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"systemscale/sql/printable"
)

// logEvery is the interval of progress messages if stderr is not a terminal.
const logEvery = 10 * time.Second

// progress reports the progress of a task: with a bar on a terminal, with log messages elsewhere. It must be used by one goroutine.
type progress struct {
	stderr io.Writer
	bar    *progressbar.ProgressBar // nil if stderr is not a terminal
	log    *slog.Logger
	task   string
	verb   string             // "read", "looked up"
	format func(int64) string // of done and total
	total  int64
	began  time.Time
	logged time.Time
}

// newProgress reports the reading of total bytes for a task.
func newProgress(stderr io.Writer, total int64, task string) *progress {
	p := &progress{stderr: stderr, task: task, verb: "read", format: size, total: total}
	return p.begin("read, join, render, "+task, progressbar.OptionShowBytes(true))
}

// newCount reports the progress of a task of total things.
func newCount(stderr io.Writer, total int64, task, verb string) *progress {
	p := &progress{stderr: stderr, task: task, verb: verb, format: humanize.Comma, total: total}
	return p.begin(task)
}

func (p *progress) begin(description string, options ...progressbar.Option) *progress {
	p.log = slog.New(slog.NewTextHandler(p.stderr, nil))
	p.began, p.logged = time.Now(), time.Now()
	terminal := p.stderr
	if escaped, ok := terminal.(*printable.Writer); ok {
		terminal = escaped.Unwrap() // the bar moves the cursor
	}
	if file, ok := terminal.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions64(p.total, append(options,
			progressbar.OptionSetWriter(terminal),
			progressbar.OptionSetDescription(description),
			progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true),
		)...)
	}
	return p
}

// at reports how much is done.
func (p *progress) at(done int64) {
	if p.bar != nil {
		_ = p.bar.Set64(done) // a bar that cannot be drawn does not stop the task
		return
	}
	if time.Since(p.logged) < logEvery {
		return
	}
	p.logged = time.Now()
	spent := time.Since(p.began)
	left := time.Duration(float64(spent) * float64(p.total-done) / float64(max(done, 1)))
	p.log.Info(p.task, p.verb, p.format(done), "of", p.format(p.total), "spent", spent.Round(time.Second), "left", left.Round(time.Second))
}

// finish completes the bar, unless err is not nil, and ends its line.
func (p *progress) finish(err error) {
	if p.bar != nil {
		if err == nil {
			_ = p.bar.Finish()
		}
		_, _ = fmt.Fprintln(p.stderr)
	}
}

// phase reports the next phase after the reading.
func (p *progress) phase(name string) {
	if p.bar != nil {
		_, _ = fmt.Fprintf(p.stderr, "%s, after %.1f s\n", name, time.Since(p.began).Seconds())
		return
	}
	p.log.Info(name, "spent", time.Since(p.began).Round(10*time.Millisecond))
}
