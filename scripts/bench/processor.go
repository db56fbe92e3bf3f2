package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processorTime returns what processes and their descendants have had of the processors so far, also those that have ended and been
// waited for. Without /proc it is 0.
func processorTime(pids ...int) time.Duration {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	children, ticks := map[int][]int{}, map[int]int64{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		parent, used, err := parseStat(string(text))
		if err != nil {
			continue
		}
		children[parent] = append(children[parent], pid)
		ticks[pid] = used
	}
	var total int64
	for len(pids) > 0 {
		pid := pids[0]
		total += ticks[pid]
		pids = append(pids[1:len(pids):len(pids)], children[pid]...)
	}
	return time.Duration(total) * time.Second / 100 // what Linux tells users is always in hundredths
}

// ownTime returns what this process has had of the processors so far, without its children.
func ownTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// parentOf returns the process that started another, or 0.
func parentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	parent, _, err := parseStat(string(text))
	if err != nil {
		return 0
	}
	return parent
}

// parseStat returns the parent and the processor time, with that of children waited for, from /proc/PID/stat (proc(5)).
func parseStat(text string) (parent int, ticks int64, err error) {
	// The second field is the program's name in brackets, which may hold spaces and brackets.
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const parentAt, utimeAt, cstimeAt = 1, 11, 14
	if len(fields) <= cstimeAt {
		return 0, 0, fmt.Errorf("%d fields in %q", len(fields), text)
	}
	if parent, err = strconv.Atoi(fields[parentAt]); err != nil {
		return 0, 0, err
	}
	for _, field := range fields[utimeAt : cstimeAt+1] {
		value, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		ticks += value
	}
	return parent, ticks, nil
}
