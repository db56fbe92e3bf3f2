package publish

import (
	"encoding/json"
	"errors"
	"fmt"

	"systemscale/etl/internal/source"
)

// Mode is how a run writes.
type Mode string

// The modes, as catalog.run names them.
const (
	Generation Mode = "generation" // new tables beside the live ones, then a flip
	Delta      Mode = "delta"      // one transaction in the live tables
	Rollback   Mode = "rollback"   // return to the version of an earlier run
)

// The states in which a run ends, as catalog.run names them.
const (
	statePublished = "published"
	stateUnchanged = "unchanged"
	stateFailed    = "failed"
)

// Record is the part of a run's history that does not describe its end. Nil fields are stored as null.
type Record struct {
	Sources []source.Counts
	Plan    *Changes
	Gates   []GateResult
	Verdict Verdict // of all gates, or empty
	Shape   string
}

// Verdict is the result of a gate, and of a run as the worst of its gates'.
type Verdict string

// The verdicts.
const (
	Passed   Verdict = "passed"
	Accepted Verdict = "accepted" // failed, and did not stop the run
	Failed   Verdict = "failed"
)

// GateResult is the result of one gate.
type GateResult struct {
	Gate    string  `json:"name"`
	Value   string  `json:"value"`
	Limit   string  `json:"limit"`
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message,omitempty"` // the reason and the remedy; empty if the gate has passed
}

// Published is the result of a run that published.
type Published struct {
	Run    int64
	Mode   Mode
	Tables []Table
}

// Table is the number and size of the documents of an endpoint.
type Table struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // of the rendered bodies, before Postgres stores them its own way
}

// encodedRecord is a Record as parameters of a statement; nil is null.
type encodedRecord struct {
	sources, plan, gates, verdict, shape *string
}

func (r Record) encode() (encodedRecord, error) {
	var e encodedRecord
	var err error
	put := func(text **string, value any) {
		encoded, encodeErr := encode(value)
		*text, err = &encoded, errors.Join(err, encodeErr)
	}
	if r.Sources != nil {
		put(&e.sources, r.Sources)
	}
	if r.Plan != nil {
		put(&e.plan, r.Plan)
	}
	if r.Gates != nil {
		put(&e.gates, r.Gates)
	}
	if r.Verdict != "" {
		e.verdict = (*string)(&r.Verdict)
	}
	if r.Shape != "" {
		e.shape = &r.Shape
	}
	return e, err
}

// encode returns v as the text of a jsonb parameter.
func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T for the run's row: %w", v, err)
	}
	return string(text), nil
}
