package measure

import (
	"syscall"
	"time"

	"systemscale/infra/process"
)

// Usage is the processor time of groups of processes by role, such as "api", with their descendants.
type Usage map[string]time.Duration

// ReadUsage returns the processor time that the processes of each role have used so far. roles has their ids.
func ReadUsage(roles map[string][]int) Usage {
	used := make(Usage, len(roles))
	for role, ids := range roles {
		used[role] = process.ProcessorTime(ids...)
	}
	return used
}

// Since returns the processor time that was used since an earlier reading, by role.
func (u Usage) Since(earlier Usage) Usage {
	used := make(Usage, len(u))
	for role, now := range u {
		used[role] = now - earlier[role]
	}
	return used
}

// OwnTime returns the processor time of this process so far, without its children.
func OwnTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
