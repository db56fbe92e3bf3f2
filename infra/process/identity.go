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
)

var errEnded = errors.New("the process has ended")

// startTime returns when the process started, in a form that is only good for comparing. On Linux it
// is the boot's id and the clock ticks since that boot, from proc(5); elsewhere ps says it to the second.
func startTime(pid int) (string, error) {
	if bootID() != "" {
		stat, err := readStat(pid)
		if err != nil {
			return "", err
		}
		return stat.started, nil
	}
	ps := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	ps.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC") // the same words and hours whoever asks
	out, err := ps.Output()
	if err != nil {
		return "", errEnded
	}
	return parsePS(string(out))
}

// remnants returns the processes that a daemon has started and left behind when it was killed: those of its process
// group. It is empty while any process has the daemon's pid. Only Linux tells; elsewhere there are none.
func remnants(daemon Identity) []Identity {
	boot, _, found := strings.Cut(daemon.Started, ":")
	if !found || boot != bootID() {
		return nil // the group's number may be another group's since the machine was started
	}
	// As long as a group exists its number is nobody's new pid. A group without its leader is the one that we know.
	if _, err := readStat(daemon.PID); err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var left []Identity
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil && stat.group == daemon.PID {
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

// stat is what /proc/<pid>/stat says of a process that has not ended.
type stat struct {
	group   int
	started string
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, errEnded
	}
	return parseStat(text, bootID())
}

// parseStat reads "pid (name) state parent group ... starttime ...", where the name may hold spaces and parentheses and
// starttime is the 22nd field.
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
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return stat{}, fmt.Errorf("no process group in %q", text)
	}
	return stat{group, boot + ":" + fields[19]}, nil
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
// whatever that is called by now. Where the system hides that, it looks for the directory among the process's arguments.
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
	if errors.Is(err, fs.ErrPermission) { // root in a container may not look
		line, _ := os.ReadFile(process + "/cmdline")
		return slices.Contains(strings.Split(string(line), "\x00"), directory)
	}
	if err != nil {
		return false
	}
	wanted, err := os.Stat(directory)
	return err == nil && os.SameFile(works, wanted)
}
