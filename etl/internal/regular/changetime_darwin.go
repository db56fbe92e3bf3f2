package regular

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime returns the time of the last change of the file's content or metadata. Unlike the modification time, no program can
// set it.
func changeTime(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctimespec.Sec, stat.Ctimespec.Nsec)
	}
	return time.Time{}
}
