// Package porttest claims loopback ports for tests.
package porttest

import (
	"os"
	"path/filepath"
	"testing"

	"systemscale/infra/port"
)

// Number returns a port that no other test and no stack chooses until t ends. It is not held: a program that the test starts may claim
// it, as stack up does with a configured port.
func Number(t testing.TB) int {
	t.Helper()
	owner := filepath.Join(t.TempDir(), "port")
	if err := os.WriteFile(owner, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	claim, err := port.Next(port.First, owner)
	if err != nil {
		t.Fatal(err)
	}
	claim.Release()
	return claim.Number
}

// Address returns the address of such a port.
func Address(t testing.TB) string {
	t.Helper()
	return port.Address(Number(t))
}
