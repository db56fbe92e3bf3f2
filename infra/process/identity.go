package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var errEnded = errors.New("the process has ended")

// startTime returns the start time of the process, for comparison only. On Linux it is the boot's id and the clock
// ticks since that boot, from proc(5); elsewhere it is the output of ps, with a resolution of one second.
func startTime(pid int) (string, error) {
	if bootID() != "" {
		stat, err := readStat(pid)
		if err != nil {
			return "", err
		}
		return stat.started, nil
	}
	ps := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	ps.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC") // the same text for all users
	out, err := ps.Output()
	if err != nil {
		return "", errEnded
	}
	return parsePS(string(out))
}

// remnants returns the remaining processes of a daemon that was killed: those of its process group. It returns none while any
// process has the daemon's pid, and none on systems other than Linux.
func remnants(daemon Identity) []Identity {
	boot, _, found := strings.Cut(daemon.Started, ":")
	if !found || boot != bootID() {
		return nil // the group's number may be another group's since the machine was started
	}
	// While a group exists, no new process gets its number as pid. So a group without its leader is the daemon's.
	if _, err := readStat(daemon.PID); err == nil {
		return nil
	}
	var left []Identity
	for pid, stat := range all() {
		if stat.group == daemon.PID {
			left = append(left, Identity{pid, stat.started})
		}
	}
	return left
}

var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// clockTick is the unit of times in /proc, on every machine.
const clockTick = time.Second / 100

// stat is the content of /proc/<pid>/stat for a process that has not ended.
type stat struct {
	parent, group int
	time          time.Duration // of the processors, including that of children that were waited for
	started       string
}

// all returns all processes by pid, and none on systems other than Linux.
func all() map[int]stat {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	found := map[int]stat{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil {
			found[pid] = stat
		}
	}
	return found
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, errEnded
	}
	return parseStat(text, bootID())
}

// parseStat reads "pid (name) state parent group ... utime stime cutime cstime ... starttime ...", where the name may contain spaces and
// parentheses, utime is the 14th field and starttime the 22nd.
func parseStat(text []byte, boot string) (stat, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("no process name in %q", text)
	}
	fields := strings.Fields(string(text[end+1:])) // from the third on
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("too few fields in %q", text)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return stat{}, errEnded
	}
	parent, parentErr := strconv.Atoi(fields[1])
	group, groupErr := strconv.Atoi(fields[2])
	if parentErr != nil || groupErr != nil {
		return stat{}, fmt.Errorf("no parent or process group in %q", text)
	}
	var used time.Duration
	for _, field := range fields[11:15] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("no processor time in %q", text)
		}
		used += time.Duration(ticks) * clockTick
	}
	return stat{parent, group, used, boot + ":" + fields[19]}, nil
}

// parsePS reads the answer to ps -o stat=,lstart=, such as "Ss   Mon Jan  2 15:04:05 2006".
func parsePS(out string) (string, error) {
	state, started, found := strings.Cut(strings.TrimSpace(out), " ")
	if !found || strings.HasPrefix(state, "Z") {
		return "", errEnded
	}
	return strings.Join(strings.Fields(started), " "), nil
}

// WorksIn reports whether a process of the account has the directory as its working directory, as Postgres has its data directory,
// even if that was renamed. Where the system hides that, it looks for the directory in the process's arguments.
func WorksIn(pid int, directory string, account *Account) bool {
	if bootID() == "" {
		out, _ := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
		return strings.Contains(" "+strings.TrimSpace(string(out))+" ", " "+directory+" ")
	}
	process := "/proc/" + strconv.Itoa(pid)
	info, err := os.Stat(process)
	if err != nil {
		return false
	}
	uid := uint32(os.Geteuid())
	if account != nil {
		uid = account.UID
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != uid {
		return false
	}
	works, err := os.Stat(process + "/cwd")
	if errors.Is(err, fs.ErrPermission) { // root in a container may lack the privilege
		line, _ := os.ReadFile(process + "/cmdline")
		return slices.Contains(strings.Split(string(line), "\x00"), directory)
	}
	if err != nil {
		return false
	}
	wanted, err := os.Stat(directory)
	return err == nil && os.SameFile(works, wanted)
}
