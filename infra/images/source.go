package images

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// unknown is the revision of a repository without git, such as an unpacked archive.
const unknown = "unknown"

// A source is the state of the repository that is built.
type source struct {
	revision string // of the commit
	version  string // the tag, or what git describe makes of it; ends in -dirty with uncommitted changes
	time     time.Time
}

func (b Build) source(ctx context.Context) (source, error) {
	git := func(arguments ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", b.Root}, arguments...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	revision, err := git("rev-parse", "HEAD")
	if err != nil {
		return source{revision: unknown, version: unknown, time: time.Unix(0, 0)}, ctx.Err()
	}
	version, err := git("describe", "--tags", "--always", "--dirty")
	if err != nil {
		return source{}, fmt.Errorf("find the version: git describe: %w", err)
	}
	text, err := git("log", "-1", "--format=%ct")
	if err != nil {
		return source{}, fmt.Errorf("find the time of the commit: %w", err)
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("find the time of the commit: %w", err)
	}
	return source{revision: revision, version: version, time: time.Unix(seconds, 0)}, nil
}
