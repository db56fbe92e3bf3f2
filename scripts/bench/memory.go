package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// watchMemory notes the most memory that a process has had resident, in bytes, until stop is called. It asks /proc, and
// not getrusage: there a child begins with what its parent had when it was started. Without /proc it finds 0.
func watchMemory(pid int) (stop func() int64) {
	done, result := make(chan struct{}), make(chan int64)
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		var peak int64
		for {
			peak = max(peak, peakResident(pid))
			select {
			case <-ticker.C:
			case <-done:
				result <- max(peak, peakResident(pid))
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-result
	}
}

// peakResident returns VmHWM (proc(5)), which only grows, so that what was missed between two looks is still seen.
func peakResident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kibibytes, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kibibytes << 10
		}
	}
	return 0
}
