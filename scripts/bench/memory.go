package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// watchMemory records the peak resident memory of a process, in bytes, until stop is called. It reads /proc because getrusage counts a
// child's memory from that of its parent at the start. Without /proc the result is 0.
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

// peakResident returns VmHWM (proc(5)), which never decreases, so that peaks between two reads are included.
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
