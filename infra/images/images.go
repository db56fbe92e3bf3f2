// Package images builds the container images of etl, api and gateway from this repository, with podman, buildah or docker.
package images

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

//go:embed *.Containerfile
var files embed.FS

// Names are the images, in the order of their builds.
var Names = []string{"etl", "api", "gateway"}

// packages are the programs of the images.
var packages = map[string]string{"etl": "./etl", "api": "./api", "gateway": "./infra/gateway"}

// directories are empty directories of the images, which belong to the images' user, with their modes. With them, a volume that is created
// at one of these paths belongs to the user as well. podman gives a tmpfs the mode, but not the owner.
var directories = map[string]os.FileMode{
	"etl/directories/var/lib/systemscale/rejects": 0o755,
	"etl/directories/var/lib/systemscale/metrics": 0o755,
	"etl/directories/var/lib/systemscale/temp":    0o755,
	"gateway/directories/var/cache/systemscale":   0o777 | os.ModeSticky,
}

// Build is a build of all images. Two builds of the same commit with the same Go, pages and base have the same layers and configuration.
// The ids may differ: podman and buildah note the random name of their working container.
type Build struct {
	Root   string    // of the repository
	Engine Engine    // which builds
	Prefix string    // of the images' names, such as localhost/systemscale
	Tag    string    // such as dev
	Base   string    // of the gateway; "": the pinned default
	Out    io.Writer // for the engine's output
}

// Name returns the name of an image with the tag.
func (b Build) Name(image string) string { return b.Prefix + "/" + image + ":" + b.Tag }

// Run builds the images.
func (b Build) Run(ctx context.Context) (err error) {
	source, err := b.source(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "systemscale-images-")
	if err != nil {
		return fmt.Errorf("build images: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := b.fill(ctx, work, source); err != nil {
		return err
	}
	for _, image := range Names {
		arguments := []string{
			"--build-arg", "VERSION=" + source.version, "--build-arg", "REVISION=" + source.revision,
			"--build-arg", "CREATED=" + source.time.UTC().Format(time.RFC3339),
		}
		if image == "gateway" && b.Base != "" {
			arguments = append(arguments, "--build-arg", "BASE="+b.Base)
		}
		file := filepath.Join(work, image+".Containerfile")
		arguments = append(arguments, "--file", file, "--tag", b.Name(image), filepath.Join(work, image))
		command := b.Engine.build(ctx, source.time, arguments)
		command.Stdout, command.Stderr = b.Out, b.Out
		if err := command.Run(); err != nil {
			return fmt.Errorf("build the image %s with %s: %w", b.Name(image), b.Engine.Name, err)
		}
	}
	return nil
}

// fill builds the programs and writes the build context of each image. All times are that of the commit.
func (b Build) fill(ctx context.Context, work string, source source) error {
	for path, mode := range directories {
		path = filepath.Join(work, path)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, mode)); err != nil {
			return fmt.Errorf("build images: %w", err)
		}
	}
	for _, image := range Names {
		text, err := files.ReadFile(image + ".Containerfile")
		if err != nil {
			return fmt.Errorf("build images: %w", err)
		}
		if err := os.WriteFile(filepath.Join(work, image+".Containerfile"), text, 0o600); err != nil {
			return fmt.Errorf("build images: %w", err)
		}
		// Without paths of this machine, symbols and a build id: the program depends on the commit and on Go alone.
		command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs="+strconv.FormatBool(source.revision != unknown),
			"-ldflags=-s -w -buildid=", "-o", filepath.Join(work, image, image), packages[image])
		command.Dir, command.Stderr = b.Root, b.Out
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if err := command.Run(); err != nil {
			return fmt.Errorf("build %s: %w", image, err)
		}
	}
	return filepath.WalkDir(work, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() && filepath.Ext(path) == "" {
			if err := os.Chmod(path, 0o755); err != nil { // whatever the umask is
				return err
			}
		}
		return os.Chtimes(path, source.time, source.time)
	})
}
