package sql

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestProtocolViolations(t *testing.T) {
	refusal := &pgconn.PgError{Code: "08P01"}
	f := func(err error, want bool) {
		t.Helper()
		if got := IsProtocolViolation(err); got != want {
			t.Errorf("IsProtocolViolation(%v) = %v", err, got)
		}
	}
	f(nil, false)
	f(errors.New("other"), false)
	f(&pgconn.PgError{Code: "28P01"}, false)
	f(refusal, true)
	f(fmt.Errorf("connect: %w", refusal), true)
	f(errors.Join(errors.New("first host"), &pgconn.PgError{Code: "57P03"}, fmt.Errorf("second: %w", refusal)), true)
	f(errors.Join(errors.New("first host"), &pgconn.PgError{Code: "57P03"}), false)
}
