package source

// So many more rows, or so many more bytes of text, are held from one call of a watching function to the next.
const grownRows, grownBytes = 512, 256 << 10

// Watch has a function called from Next each time that some more rows are held, or more of the file for them, than at the call before
// or at the last Release. If it returns an error, so does Next. Few rows are held as a rule, and then it is not called.
func (r *Reader) Watch(grown func() error) {
	r.grown, r.nextRows, r.nextBytes = grown, grownRows, grownBytes
}

// Held returns about how many bytes of memory the rows take that have not been released.
func (r *Reader) Held() int64 {
	const row, cell = 3 * 8, 16
	return r.text() + int64(r.rows.Len())*int64(row+r.rows.width*cell)
}

// text returns how many bytes of texts are held.
func (r *Reader) text() int64 { return r.scanner.Position() - r.held + int64(len(r.rows.spare)) }

func (r *Reader) hold(position int64) {
	r.held = position
	r.scanner.Hold(position)
}

// passOver releases what was read before the next row, once that is much, except for the texts of held rows that documents show.
// Rows that are filtered or rejected, and columns that no document shows, would add up there. No row may be one that its user
// may still ask for with Raw or Reject.
func (r *Reader) passOver() {
	if r.text() < r.nextOver {
		return
	}
	next := r.scanner.Position()
	if r.rows.end < r.rows.ahead {
		next = r.rows.start[r.rows.end]
	}
	r.rows.keepTexts()
	r.hold(next)
	r.nextOver = 2*r.text() + grownBytes
}
