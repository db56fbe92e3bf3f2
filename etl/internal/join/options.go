package join

import "context"

// Options configure a join.
type Options struct {
	Context context.Context // ends the comparison of keys on disk; nil is context.Background
	Temp    string          // directory for temporary files, or empty for the system's
	Keys    *Keys           // of the joins of the same files before; nil for none
	Checked bool            // the files are read again, after a complete join with these Keys

	bounds bounds // of the sets of keys; the zero value is the default
}

// bounds bound the memory of the sets of keys.
type bounds struct {
	// A part of the latest texts that are kept ends with so many keys or bytes. Two parts of each source are in memory, with the chunks
	// that hold the texts.
	generation      int
	generationBytes int

	last    int // places for the latest recorded keys of a source
	block   int // bytes of a partition that are written at a time, a multiple of 8; this is buffered for each partition
	checked int // hashes of a partition that are compared at a time; their table takes up to 16 bytes for each
}

// defaultBounds take about 2 MiB for each source, and 8 MiB at the end of a join.
var defaultBounds = bounds{generation: 1 << 13, generationBytes: 256 << 10, last: 1 << 14, block: 16 << 10, checked: 1 << 19}
