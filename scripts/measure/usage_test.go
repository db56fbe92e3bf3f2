package measure

import (
	"os"
	"testing"
	"time"

	"systemscale/infra/process"
)

func TestUsageIsByRole(t *testing.T) {
	if process.Parent(os.Getpid()) == 0 {
		t.Skip("this system has no /proc")
	}
	roles := map[string][]int{"this": {os.Getpid()}, "none": nil}
	before := ReadUsage(roles)
	turns := 0
	for OwnTime() < before["this"]+50*time.Millisecond { // the clock of /proc has a resolution of 10 ms
		turns++
	}
	used := ReadUsage(roles).Since(before)
	if used["this"] < 20*time.Millisecond || used["none"] != 0 || len(used) != 2 {
		t.Errorf("in %d turns, %v, want at least 20 ms by this process, and nothing by none", turns, used)
	}
}
