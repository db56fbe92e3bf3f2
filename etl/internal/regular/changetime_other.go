//go:build !linux && !darwin

package regular

import (
	"io/fs"
	"time"
)

// changeTime returns the zero time: the system has none that this package knows how to read.
func changeTime(fs.FileInfo) time.Time { return time.Time{} }
