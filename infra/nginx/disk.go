package nginx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"systemscale/infra/program"
)

const megabyte = 1 << 20

// Size is a number of bytes in NGINX's notation, such as 2g. The zero value is no size.
type Size int64

// units are the suffixes of sizes, the largest first.
var units = []struct {
	suffix string
	bytes  Size
}{{"g", 1 << 30}, {"m", megabyte}, {"k", 1 << 10}}

// String returns the size with the largest unit of which it is a multiple.
func (s Size) String() string {
	for _, unit := range units {
		if s != 0 && s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// smallestCache is the size below which a cache is refused: a few thousand documents.
const smallestCache Size = 64 * megabyte

// reserve returns the space to keep free beside a cache. NGINX's cache manager, which removes the excess, sleeps for up to ten seconds;
// within that time two busy cores write 400 MB of documents.
func (s Size) reserve() Size { return s / 5 }

// FitCache returns the wanted size or, if the file system of the cache's directory has less room, the largest size that fits. If that is
// too little to be of use, it returns an error with the remedy. The cache's present content counts as room.
func FitCache(directory string, wanted Size) (Size, error) {
	room, err := roomFor(directory, wanted+wanted.reserve())
	if err != nil {
		return 0, err
	}
	if room >= wanted+wanted.reserve() {
		return wanted, nil
	}
	// In steps, so that it does not change each time a file is written.
	fitting := (room * 5 / 6) &^ (smallestCache - 1)
	if fitting < smallestCache {
		return 0, noRoom(directory, room, smallestCache)
	}
	return fitting, nil
}

// checkCache returns an error with the remedy unless the cache's file system has room for CacheSize and Account can write there. NGINX
// detects neither before its first write.
func (g Gateway) checkCache(ctx context.Context) error {
	room, err := roomFor(g.cache(), g.CacheSize+g.CacheSize.reserve())
	if err != nil {
		return err
	}
	if room < g.CacheSize+g.CacheSize.reserve() {
		return noRoom(g.cache(), room, g.CacheSize)
	}
	owner, name := os.Geteuid(), "this user"
	if g.Account != nil {
		owner, name = int(g.Account.UID), g.Account.Name
	}
	if foreign := foreignDirectory(g.cache(), owner); foreign != "" {
		return fmt.Errorf("NGINX runs as %s and cannot write to %s in its cache, which belongs to another user: empty %s", name, foreign,
			g.cache())
	}
	for _, directory := range []string{g.cache(), g.temp()} {
		// By the account, which this process need not be.
		const probe = `d=$(mktemp -d "$1/probe.XXXXXX") && echo > "$d/probe"; status=$?; rm -rf "$d"; exit $status`
		command := exec.CommandContext(ctx, "/bin/sh", "-c", probe, "sh", directory)
		command.Dir = g.Prefix
		command.SysProcAttr = g.Account.Attributes()
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("NGINX runs as %s and cannot write to %s: change the owner of the directory, or choose another (%w: %s)", name,
				directory, err,
				strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// foreignDirectory returns a directory of the cache that is not the owner's, or "". NGINX makes two levels of them.
func foreignDirectory(cache string, owner int) string {
	for _, pattern := range []string{"?", "?/??"} {
		found, _ := filepath.Glob(filepath.Join(cache, pattern)) // the pattern is a valid one
		for _, directory := range found {
			info, err := os.Lstat(directory)
			if err != nil {
				continue
			}
			if status, known := info.Sys().(*syscall.Stat_t); known && int(status.Uid) != owner {
				return directory
			}
		}
	}
	return ""
}

func noRoom(directory string, room, size Size) error {
	return fmt.Errorf("the file system of NGINX's cache, %s, has room for %d MB, and a cache of %d MB needs %d MB including the space that must stay free: "+
		"free some space there, choose another directory, or make the cache smaller",
		directory, room/megabyte, size/megabyte, (size+size.reserve())/megabyte)
}

// roomFor returns how much a cache may take in a directory, which need not exist yet: the free space of its file system and, if that is
// less than needed, the size of the cache's present content.
func roomFor(directory string, needed Size) (Size, error) {
	existing := directory
	var system syscall.Statfs_t
	for {
		err := syscall.Statfs(existing, &system)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || existing == filepath.Dir(existing) {
			return 0, fmt.Errorf("read the free space of NGINX's cache, %s: %w", directory, err)
		}
		existing = filepath.Dir(existing)
	}
	room := Size(system.Bavail) * Size(system.Bsize)
	if int64(system.Type) == inMemory {
		room = min(room, max(availableMemory()-keysZone, 0))
	}
	if room >= needed || existing != directory {
		return room, nil
	}
	err := filepath.WalkDir(directory, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreAbsent(err)
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreAbsent(err)
		}
		if status, known := info.Sys().(*syscall.Stat_t); known {
			room += Size(status.Blocks) * 512
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("examine NGINX's cache: %w", err)
	}
	return room, nil
}

const (
	inMemory      = 0x01021994 // tmpfs, in Linux
	keysZone Size = 128 * megabyte
)

// availableMemory returns how much memory Linux can give without swapping, or no bound where that is unknown.
func availableMemory() Size {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 1 << 62
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemAvailable:" {
			if kilobytes, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return Size(kilobytes) << 10
			}
		}
	}
	return 1 << 62
}

// ignoreAbsent returns nil for a file that is gone: a running NGINX removes some.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// temp is the directory of responses that are not yet in the cache.
func (g Gateway) temp() string {
	return cmp.Or(g.Temp, filepath.Join(Work(g.Prefix), "temp", "proxy"))
}

// minFree is the template's setting for the space to keep free, or nothing for versions of NGINX without it.
func (g Gateway) minFree() string {
	if !g.NGINX.Version.AtLeast(program.Version{Major: 1, Minor: 19, Patch: 1}) {
		return ""
	}
	return "min_free=" + g.CacheSize.reserve().String()
}
