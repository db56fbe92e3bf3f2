package process

import "time"

// Parent returns the pid of the parent of a process, and 0 if the process has ended or on systems other than Linux.
func Parent(pid int) int {
	stat, err := readStat(pid)
	if err != nil {
		return 0
	}
	return stat.parent
}

// ProcessorTime returns the processor time that processes and their descendants have used, including descendants that have ended and
// were waited for. It is 0 on systems other than Linux.
func ProcessorTime(pids ...int) time.Duration {
	processes := all()
	children := map[int][]int{}
	for pid, stat := range processes {
		children[stat.parent] = append(children[stat.parent], pid)
	}
	var total time.Duration
	for len(pids) > 0 {
		pid := pids[0]
		total += processes[pid].time
		pids = append(pids[1:len(pids):len(pids)], children[pid]...)
	}
	return total
}
