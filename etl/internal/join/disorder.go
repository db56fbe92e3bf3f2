package join

import "systemscale/etl/internal/source"

// Problem is the reason why a file cannot be joined as it is.
type Problem uint8

// The problems.
const (
	Unsorted         Problem = iota // its rows are not in the order of their parents, or of the root's key
	ItemsInterleaved                // its keys go back from item to item, so its children cannot be in the order of their parents' keys
	ByValue                         // its rows name their parent by another column than its key
	LateKeys                        // its keys go back too far: those before are no longer in memory. The next join with the same Keys records all
	RepeatedKeys                    // rows were used whose keys were on earlier rows. The next join with the same Keys finds them in time
)

// Disorder is the error of a join whose files must be sorted first. It wraps a *source.FileError with the line.
type Disorder struct {
	Source  int // index in the shape
	Problem Problem
	err     *source.FileError
}

func (d *Disorder) Error() string { return d.err.Error() }

func (d *Disorder) Unwrap() error { return d.err }
