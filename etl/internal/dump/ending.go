package dump

import (
	"errors"
	"fmt"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// CutFiles returns a line for each file that ends early: it ends within a record, or its last line has no line end. The latter is accepted
// where the shape file declares it and where the file of the last run had no line end either, but not where that file had one. run is the
// last run, or 0, and last has its counts. All files must have been read to their ends.
func (d *Dump) CutFiles(run int64, last []source.Counts) []string {
	endings := map[string]*source.Ending{} // programs before final_newline did not record them
	for _, c := range last {
		if c.Ending != nil {
			endings[plainName(c.File)] = c.Ending
		}
	}
	var cut []string
	for _, mistake := range d.cutErrors(run, endings) {
		cut = append(cut, mistake.Error())
	}
	return cut
}

// RefuseCutFiles is CutFiles for commands that have neither gates nor a database. The error has a *source.FileError for each file.
func (d *Dump) RefuseCutFiles() error {
	var errs []error
	for _, mistake := range d.cutErrors(0, nil) {
		errs = append(errs, mistake)
	}
	return errors.Join(errs...)
}

// cutErrors returns an error for each file that ends early. before has the endings of the files of run, by name.
func (d *Dump) cutErrors(run int64, before map[string]*source.Ending) (cut []*source.FileError) {
	counts := d.Counts()
	anyNewline := false
	for _, c := range counts {
		anyNewline = anyNewline || c.Ending != nil && c.Ending.Newline
	}
	for i, c := range counts {
		if c.Ending == nil {
			continue
		}
		s, last := &d.spec.Sources[i], before[plainName(c.File)]
		cut = append(cut, d.cutParts(i)...)
		mistake := &source.FileError{Message: string(c.Ending.Fault)}
		mistake.File, mistake.Line = d.Place(i, c.Ending.Line)
		switch {
		case c.Ending.Fault != "":
		case c.Ending.Newline:
			continue
		case last != nil && last.Newline:
			mistake.Message = fmt.Sprintf("the last line has no line end, and the file of run %d had one", run)
		case last != nil:
			continue
		case s.OpenEnd:
			if anyNewline {
				d.options.Logger.Warn(
					"the last line of a file has no line end, and those of others have: if it was cut off, run again with the whole file",
					"file", shape.FileName(c.File), "line", c.Ending.Line)
			}
			continue
		default:
			mistake.Message = d.openEnd(s)
		}
		cut = append(cut, mistake)
	}
	return cut
}

// openEnd returns the message about a file of a source whose last line has no line end.
func (d *Dump) openEnd(s *shape.Source) string {
	return fmt.Sprintf("the last line has no line end. If complete files of source %s have none, declare final_newline: optional in %s",
		s.Name, d.spec.Name)
}

// cutParts returns an error for each file of a pattern, but the last one, whose last line has no line end.
func (d *Dump) cutParts(i int) (cut []*source.FileError) {
	s, f := &d.spec.Sources[i], d.files[i]
	if f.parts == nil || s.OpenEnd {
		return nil
	}
	for _, p := range f.parts.files[:len(f.parts.files)-1] {
		if p.open {
			cut = append(cut, &source.FileError{File: p.name(), Line: p.lastLine, Message: d.openEnd(s)})
		}
	}
	return cut
}
