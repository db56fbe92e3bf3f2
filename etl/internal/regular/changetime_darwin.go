package regular

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime returns when the file's content or metadata changed last. Unlike the time of modification, no program can set it.
func changeTime(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctimespec.Sec, stat.Ctimespec.Nsec)
	}
	return time.Time{}
}
