package images

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"systemscale/infra/program"
)

// Engines are the programs that can build images, best first: those that need no daemon.
var Engines = []string{"podman", "buildah", "docker"}

// Engine is a program that builds images.
type Engine struct {
	Name string // one of Engines
	// Command returns the command of the engine, such as that of a container.Podman; nil: exec.CommandContext.
	Command func(ctx context.Context, name string, arguments ...string) *exec.Cmd
}

// FindEngine returns the first engine that is installed, or the named one.
func FindEngine(name string) (Engine, error) {
	candidates := Engines
	if name != "" {
		if !slices.Contains(Engines, name) {
			return Engine{}, fmt.Errorf("%q builds no images here: choose %s", name, strings.Join(Engines, ", "))
		}
		candidates = []string{name}
	}
	for _, candidate := range candidates {
		if _, err := program.FindInPath(candidate); err == nil {
			return Engine{Name: candidate}, nil
		}
	}
	return Engine{}, fmt.Errorf("%s is %w: install one of podman, buildah and docker", strings.Join(candidates, ", "), program.ErrMissing)
}

// build returns the command that builds one image, whose files and times are those of the source.
func (e Engine) build(ctx context.Context, created time.Time, arguments []string) *exec.Cmd {
	seconds := strconv.FormatInt(created.Unix(), 10)
	if e.Name == "docker" {
		// BuildKit reads the time from the argument.
		arguments = append([]string{"build", "--build-arg", "SOURCE_DATE_EPOCH=" + seconds}, arguments...)
	} else {
		// Only Docker's format has health checks. One layer: the files change together.
		arguments = append([]string{"build", "--format", "docker", "--layers=false", "--timestamp", seconds}, arguments...)
	}
	if e.Command == nil {
		return exec.CommandContext(ctx, e.Name, arguments...)
	}
	return e.Command(ctx, e.Name, arguments...)
}
