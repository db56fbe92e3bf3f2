package source

// Watch makes Next call a function each time the rows that are not released have grown by some hundred rows or kilobytes. If the
// function returns an error, Next returns it. Items are usually smaller, and the function is then not called.
func (r *Reader) Watch(grown func() error) {
	r.growth.grown, r.growth.nextRows, r.growth.nextBytes = grown, grownRows, grownBytes
}

// Held returns the approximate memory, in bytes, of the rows that have not been released.
func (r *Reader) Held() int64 {
	const row, cell, textKey = 3 * 8, 16, 48
	size := row + r.rows.width*cell
	if r.keys != nil {
		size += (2 + len(r.keys.references)) * textKey
	}
	return r.text() + int64(r.rows.Len())*int64(size)
}

// text returns the size of the held text, in bytes.
func (r *Reader) text() int64 { return r.scanner.Position() - r.growth.held + int64(len(r.rows.spare)) }

func (r *Reader) hold(position int64) {
	r.growth.held = position
	r.scanner.Hold(position)
}

// passOver frees the input before the next row if it has grown large. It copies the rendered texts of the held rows first. Without
// it, filtered and rejected rows and columns that are not rendered would accumulate within an item. It must not be called while
// Raw or Reject may still be called for a row.
func (r *Reader) passOver() {
	if r.text() < r.growth.nextOver {
		return
	}
	next := r.scanner.Position()
	if r.rows.end < r.rows.ahead {
		next = r.rows.start[r.rows.end]
	}
	r.rows.keepTexts()
	r.hold(next)
	r.growth.nextOver = 2*r.text() + grownBytes
}
