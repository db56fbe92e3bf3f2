package migrate

import (
	"testing"
	"time"
)

// Hurry lets a migration give up early until t ends.
func Hurry(t *testing.T) {
	patience, times := lockPatience, attempts
	lockPatience, attempts = time.Second, 2
	t.Cleanup(func() { lockPatience, attempts = patience, times })
}
