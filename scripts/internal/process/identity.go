package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

var errEnded = errors.New("the process has ended")

// startTime returns when the process started, in a form that is only good for comparing. On Linux it
// is the boot's id and the clock ticks since that boot, from proc(5); elsewhere ps says it to the second.
func startTime(pid int) (string, error) {
	if boot := bootID(); boot != "" {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return "", errEnded
		}
		return parseStat(stat, boot)
	}
	ps := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	ps.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC") // the same words and hours whoever asks
	out, err := ps.Output()
	if err != nil {
		return "", errEnded
	}
	return parsePS(string(out))
}

var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// parseStat reads /proc/<pid>/stat: "pid (name) state ... starttime ...", where the name may hold
// spaces and parentheses and starttime is the 22nd field.
func parseStat(stat []byte, boot string) (string, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return "", fmt.Errorf("no process name in %q", stat)
	}
	fields := strings.Fields(string(stat[end+1:])) // from the third on
	if len(fields) < 20 {
		return "", fmt.Errorf("too few fields in %q", stat)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", errEnded
	}
	return boot + ":" + fields[19], nil
}

// parsePS reads the answer to ps -o stat=,lstart=, such as "Ss   Mon Jan  2 15:04:05 2006".
func parsePS(out string) (string, error) {
	state, started, found := strings.Cut(strings.TrimSpace(out), " ")
	if !found || strings.HasPrefix(state, "Z") {
		return "", errEnded
	}
	return strings.Join(strings.Fields(started), " "), nil
}

// CommandLine returns the program and the arguments that a process was started with, or "" when it has ended.
func CommandLine(pid int) string {
	if bootID() != "" {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		return strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	out, _ := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(out))
}
