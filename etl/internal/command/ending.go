package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

// cutFiles says of each file that ends early, in as far as that shows, where it ends and why it is taken to be cut off: it ends within a
// record, or its last line has no line end. That is accepted where the shape file declares it, and where the file of the last run had none
// either; but not where that one had a line end. The files must have been read to their ends.
func (in *input) cutFiles(last publish.LastRun) ([]string, error) {
	before, err := endingsOf(last)
	if err != nil {
		return nil, err
	}
	var cut []string
	for _, mistake := range in.cutErrors(last.Run, before) {
		cut = append(cut, mistake.Error())
	}
	return cut, nil
}

// refuseCutFiles is cutFiles for commands that have neither gates nor a database.
func (in *input) refuseCutFiles() error {
	var errs []error
	for _, mistake := range in.cutErrors(0, nil) {
		errs = append(errs, mistake)
	}
	return errors.Join(errs...)
}

// cutErrors returns an error for each file that ends early. before has how the files of run ended, by name.
func (in *input) cutErrors(run int64, before map[string]*source.Ending) (cut []*source.FileError) {
	counts := in.counts()
	anyNewline := false
	for _, c := range counts {
		anyNewline = anyNewline || c.Ending != nil && c.Ending.Newline
	}
	for i, c := range counts {
		if c.Ending == nil {
			continue
		}
		s, last := &in.spec.Sources[i], before[plainName(c.File)]
		mistake := &source.FileError{File: c.File, Line: c.Ending.Line, Message: string(c.Ending.Fault)}
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
				in.say.Warn("the last line of a file has no line end, and those of others have: if it was cut off, run again with the whole file", "file", c.File, "line", c.Ending.Line)
			}
			continue
		default:
			mistake.Message = fmt.Sprintf("the last line has no line end. If files of source %s are complete without, declare final_newline: optional in %s", s.Name, in.spec.Name)
		}
		cut = append(cut, mistake)
	}
	return cut
}

// endingsOf returns how the files of a run ended, by their names when they are not compressed. Runs of older programs did not record it.
func endingsOf(last publish.LastRun) (map[string]*source.Ending, error) {
	if last.Run == 0 {
		return nil, nil
	}
	var counts []source.Counts
	if err := json.Unmarshal(last.Sources, &counts); err != nil {
		return nil, fmt.Errorf("read the sources of run %d: %w", last.Run, err)
	}
	endings := map[string]*source.Ending{}
	for _, c := range counts {
		if c.Ending != nil {
			endings[plainName(c.File)] = c.Ending
		}
	}
	return endings, nil
}

// plainName returns a file's name without the ending of compression.
func plainName(name string) string {
	for _, ending := range compressed {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}
