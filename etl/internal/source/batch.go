package source

// batch is the number of records that are decoded at a time. Decoding several in a row is faster than alternating between files.
const batch = 64

// decode decodes the plain records at the beginning of the Window, at most a batch, and appends them to the rows. It returns their
// number. It stops before the first record that is not plain or not complete, which Scan and convert then read. Most records are
// plain. Both ways give the same row.
//
// A plain record has as many fields as the header. Its fields are canonical ints of up to 15 digits, amounts of up to 15 digits
// with no or two decimals, the flags 0 and 1, nulls in nullable columns, quoted texts without escapes and control characters, and
// bare ASCII texts.
func (r *Reader) decode() int {
	rows := &r.rows
	rows.grow(batch)
	w := newWords(r.scanner.Window())
	position := r.scanner.Position()
	at, count := 0, 0
	first, noQuotes := rows.ahead, r.dialect.NoQuotes
	for count < batch {
		mark := len(rows.spare)
		var next int
		if noQuotes {
			next = r.decodeBare(w, at, position)
		} else {
			next = r.decodeRecord(w, at, position)
		}
		if next >= 0 && r.keys != nil {
			if reason, _ := r.encodeKeys(); reason != "" {
				next = -1
			}
		}
		if next < 0 {
			rows.spare = rows.spare[:mark]
			break
		}
		rows.start[rows.ahead] = position + int64(at)
		rows.ahead++
		at = next
		count++
	}
	if r.looksUp() && count > 0 {
		// convert rejects or filters the record after the last good one
		if good := r.lookUp(first, count); good < count {
			at, count = int(rows.start[first+good]-position), good
			rows.ahead = first + good
		}
	}
	r.scanner.Take(at, count)
	return count
}
