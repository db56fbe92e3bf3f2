package port

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestMain makes the test binary act as another program that claims a port.
func TestMain(m *testing.M) {
	if number := os.Getenv("PORT_TEST_TAKE"); number != "" {
		number, _ := strconv.Atoi(number)
		if _, err := Take(number, ""); err != nil {
			_, _ = os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	m.Run()
}

// elsewhere claims a port in another process, which ends at once.
func elsewhere(t *testing.T, number int) (output string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), "PORT_TEST_TAKE="+strconv.Itoa(number))
	out, err := command.CombinedOutput()
	return string(out), err
}

func next(t *testing.T, preferred int, owner string) *Claim {
	t.Helper()
	claim, err := Next(preferred, owner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(claim.Release)
	return claim
}

func TestClaimedPortIsTaken(t *testing.T) {
	first := next(t, First, "")
	if output, err := elsewhere(t, first.Number); err == nil || !strings.Contains(output, "is taken: another stack") {
		t.Errorf("another program has claimed the same port: %v, %q", err, output)
	}
	if second := next(t, first.Number, ""); second.Number == first.Number {
		t.Errorf("port %d was given twice", first.Number)
	}
	first.Release()
	// Any test that runs at the same time may claim it now, and then owns it.
	if output, err := elsewhere(t, first.Number); err != nil && !strings.Contains(output, "it belongs to") {
		t.Errorf("after the release: %v, %s", err, output)
	}
}

func TestConcurrentClaims(t *testing.T) {
	const count = 100
	var mutex sync.Mutex
	var group sync.WaitGroup
	seen := map[int]bool{}
	for range count {
		group.Go(func() {
			claim, err := Next(First, "")
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(claim.Release)
			mutex.Lock()
			defer mutex.Unlock()
			seen[claim.Number] = true
		})
	}
	group.Wait()
	if len(seen) != count {
		t.Errorf("%d different ports for %d claims", len(seen), count)
	}
}

func TestOwnerKeepsPort(t *testing.T) {
	owner, other := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "state")
	for _, path := range []string{owner, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	claim := next(t, First, owner)
	claim.Release() // and nothing listens
	if _, err := Take(claim.Number, other); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), owner) {
		t.Errorf("the port of another: %v", err)
	}
	if again, err := Take(claim.Number, owner); err != nil {
		t.Errorf("the owner's own port: %v", err)
	} else {
		again.Release()
	}
	// A user may still choose it.
	if held, err := Hold(claim.Number); err != nil {
		t.Errorf("Hold() = %v", err)
	} else {
		held.Release()
	}
	if _, err := Take(claim.Number, other); !errors.Is(err, ErrTaken) {
		t.Errorf("Hold took the port from its owner: %v", err)
	}
	if err := os.Remove(owner); err != nil {
		t.Fatal(err)
	}
	if taken, err := Take(claim.Number, other); err != nil {
		t.Errorf("the port of an owner that is gone: %v", err)
	} else {
		taken.Release()
	}
}

func TestPortInUseIsTaken(t *testing.T) {
	claim := next(t, First, "")
	listener, err := net.Listen("tcp4", Address(claim.Number))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	claim.Release()
	for name, take := range map[string]func() (*Claim, error){
		"Take": func() (*Claim, error) { return Take(claim.Number, "") },
		"Hold": func() (*Claim, error) { return Hold(claim.Number) },
	} {
		if _, err := take(); !errors.Is(err, ErrTaken) {
			t.Errorf("%s() of a port on which a program listens: %v", name, err)
		}
	}
	if got := next(t, claim.Number, ""); got.Number == claim.Number {
		t.Errorf("Next() = %d, on which a program listens", got.Number)
	}
}

func TestPortsOutsideEphemeralRange(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if number := listener.Addr().(*net.TCPAddr).Port; !HandedOut(number) {
		t.Errorf("the kernel has handed out port %d", number)
	}
	if HandedOut(1023) {
		t.Error("the kernel hands out port 1023")
	}
}

func TestInvalidNumbers(t *testing.T) {
	for _, number := range []int{-1, 0, 65536} {
		if _, err := Take(number, ""); err == nil || errors.Is(err, ErrTaken) {
			t.Errorf("Take(%d) = %v", number, err)
		}
	}
}

func TestClaimsDirectoryPermissions(t *testing.T) {
	parent := t.TempDir()
	path, err := claimsIn(parent)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := claimsIn(parent); err != nil || again != path {
		t.Errorf("again: %q, %v, want %q", again, err, path)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := claimsIn(parent); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a directory that others may write to: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	if _, err := claimsIn(parent); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a link: %v", err)
	}
	if os.Geteuid() != 0 {
		return // only root can change the owner of a directory
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(path, 61234, 61234); err != nil {
		t.Fatal(err)
	}
	if _, err := claimsIn(parent); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("another user's directory: %v", err)
	}
}
