package inspect

// Options are what Directory takes.
type Options struct {
	Directory string
	Name      string // of the shape file, for its comments
	Root      string // the file or source whose rows are the items, or "" for a guess

	// Progress is called now and then with the number of bytes that are read, of the total. It may be nil.
	Progress func(read, total int64)
}

type inspection struct {
	options Options
	memory  memory
	tables  []*table        // that can be used
	left    []*table        // that cannot
	lists   map[*table]bool // of tables: their rows are looked up
	read    int64
	total   int64
}

// tick returns the function that reports progress in a file.
func (in *inspection) tick(t *table) func() {
	return func() {
		if in.options.Progress != nil {
			in.options.Progress(in.read+t.text.Position(), in.total)
		}
	}
}
