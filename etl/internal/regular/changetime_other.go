//go:build !linux && !darwin

package regular

import (
	"io/fs"
	"time"
)

// changeTime returns the zero time: this package does not support the system's change time.
func changeTime(fs.FileInfo) time.Time { return time.Time{} }
