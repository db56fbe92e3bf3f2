package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// WatchMemory records the peak resident memory of a process, in bytes, until stop is called. It reads /proc because getrusage counts a
// child's memory from that of its parent at the start. Without /proc the result is 0.
func WatchMemory(pid int) (stop func() int64) {
	done, result := make(chan struct{}), make(chan int64)
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		var peak int64
		for {
			peak = max(peak, PeakResident(pid))
			select {
			case <-ticker.C:
			case <-done:
				result <- max(peak, PeakResident(pid))
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-result
	}
}

// PeakResident returns the peak resident memory of a process in bytes, or 0 if it has ended: VmHWM (proc(5)), which never decreases, so that peaks between two reads are included.
func PeakResident(pid int) int64 {
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
