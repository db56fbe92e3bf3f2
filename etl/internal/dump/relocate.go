package dump

import (
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// relocate replaces the pattern and the line in the errors about a source of several files by the file and its line. files are those of
// the sources.
func relocate(err error, sources []shape.Source, files []*file) {
	// Not errors.As, which finds one error: each in the tree is changed.
	switch e := any(err).(type) {
	case nil:
		return
	case *source.FileError:
		replace(&e.File, &e.Line, sources, files)
	case *OversizeError:
		replace(&e.File, &e.Line, sources, files)
	}
	switch e := any(err).(type) {
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			relocate(one, sources, files)
		}
	case interface{ Unwrap() error }:
		relocate(e.Unwrap(), sources, files)
	}
}

// replace is relocate for the pattern and the line in one error.
func replace(name *string, line *int64, sources []shape.Source, files []*file) {
	for i, f := range files {
		if f != nil && f.parts != nil && *line > 0 && *name == sources[i].File {
			*name, *line = f.locate(*line)
			return
		}
	}
}
