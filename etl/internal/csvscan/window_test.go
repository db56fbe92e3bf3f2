package csvscan

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// tight returns a Scanner with a small initial buffer.
func tight(reader io.Reader, dialect Dialect, size int) *Scanner {
	scanner := New(reader, dialect)
	scanner.buffer = make([]byte, size+Slack)
	return scanner
}

// mirror compares a Scanner with its whole input, which must not contain lines that are too long.
type mirror struct {
	t       testing.TB
	in      []byte
	scanner *Scanner
	at      int // of the next line in the input
	line    int64
	held    int // position from which the input is held, or -1
}

// check compares the state that does not depend on the current record.
func (m *mirror) check() {
	m.t.Helper()
	s := m.scanner
	window := s.Window()
	read, slack := window[:len(window)-Slack], window[len(window)-Slack:]
	if !bytes.HasPrefix(m.in[m.at:], read) {
		m.t.Fatalf("the Window at byte %d is %q, which differs from the input %q", m.at, read, m.in)
	}
	if !bytes.Equal(slack, make([]byte, Slack)) {
		m.t.Fatalf("after the Window at byte %d of %q: %q, want zeros", m.at, m.in, slack)
	}
	if s.Position() != int64(m.at) || s.BytesRead() != int64(m.at) || s.Line() != m.line {
		m.t.Fatalf("Position() = %d, BytesRead() = %d, Line() = %d, want byte %d after line %d of %q", s.Position(), s.BytesRead(), s.Line(),
			m.at, m.line, m.in)
	}
	if m.held >= 0 {
		buffer, origin := s.Held()
		if got := buffer[int64(m.held)-origin : int64(m.at)-origin]; !bytes.Equal(got, m.in[m.held:m.at]) {
			m.t.Fatalf("held from byte %d to %d of %q: %q", m.held, m.at, m.in, got)
		}
		if int64(len(buffer)) < int64(m.at)-origin+Slack {
			m.t.Fatalf("only %d bytes can be read after the consumed input", int64(len(buffer))-int64(m.at)+origin)
		}
	}
}

// scan calls Scan and compares the record with the next line of the input that is not empty.
func (m *mirror) scan() bool {
	m.t.Helper()
	for {
		more := m.at < len(m.in)
		begin := m.at
		raw, rest, ended := bytes.Cut(m.in[begin:], []byte("\n"))
		if more {
			m.line++
			m.at = len(m.in) - len(rest)
		}
		raw = bytes.TrimSuffix(raw, []byte("\r"))
		if m.line == 1 {
			raw = bytes.TrimPrefix(raw, byteOrderMark)
		}
		if more && len(raw) == 0 {
			continue
		}
		s := m.scanner
		if s.Scan() != more {
			m.t.Fatalf("Scan() = %v at byte %d of %q (%v)", !more, begin, m.in, s.Err())
		}
		if more && (!bytes.Equal(s.Raw(), raw) || s.Offset() != int64(begin) || s.Ended() != ended || s.TooLong()) {
			m.t.Fatalf("line %d of %q is %q at byte %d (ended %v), want %q at byte %d (%v)", m.line, m.in, s.Raw(), s.Offset(), s.Ended(), raw,
				begin, ended)
		}
		return more
	}
}

// take takes up to a number of complete lines.
func (m *mirror) take(lines int) {
	window := m.scanner.Window()
	size, taken := 0, 0
	for taken < lines {
		n := bytes.IndexByte(window[size:len(window)-Slack], '\n') + 1
		if n == 0 {
			break
		}
		size, taken = size+n, taken+1
	}
	m.scanner.Take(size, taken)
	m.at, m.line = m.at+size, m.line+int64(taken)
}

// hold holds the input from a position between the last one and the next line. The first position is the next line.
func (m *mirror) hold(part, of int) {
	if m.held < 0 {
		m.held = m.at
	}
	m.held += (m.at - m.held) * part / of
	m.scanner.Hold(int64(m.held))
}

// pieces is a reader that returns pieces of the given sizes in turn.
type pieces struct {
	reader io.Reader
	sizes  []byte
	turn   int
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(p.sizes) > 0 {
		to = to[:min(len(to), 1+int(p.sizes[p.turn%len(p.sizes)])%32)]
		p.turn++
	}
	return p.reader.Read(to)
}

// FuzzWindow calls Scan, Take or Hold for each byte of the plan, and compares the Scanner with the input.
func FuzzWindow(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n\n3,\"4\n5\r\n6"), []byte{0, 1, 6, 3, 2, 0, 9, 255, 1, 0})
	f.Add([]byte("\xef\xbb\xbfa\n\n\nbcd\r\n"), []byte{1, 2, 3, 4, 5})
	f.Add([]byte(strings.Repeat("12345678,abc\n", 20)), []byte{3, 0, 0, 0, 7, 0, 1, 1, 1, 11, 0, 5, 0, 0, 2})
	// From the fuzzer: a minimal set of inputs for statements that the seeds above do not reach.
	for _, in := range []string{`""`, strings.Repeat(",", 16), `"""`, `0"`, `""0,`, strings.Repeat(`"`, 18) + "0"} {
		f.Add([]byte(in), []byte("0"))
	}
	f.Fuzz(func(t *testing.T, in, plan []byte) {
		if len(in) > 4<<10 {
			return // every step compares the whole Window
		}
		size := 1
		if len(plan) > 0 {
			size += int(plan[0])
		}
		m := &mirror{t: t, in: in, held: -1, scanner: tight(&pieces{reader: bytes.NewReader(in), sizes: plan}, Dialect{}, size)}
		for turn := 0; ; turn++ {
			step := byte(0)
			if len(plan) > 0 {
				step = plan[turn%len(plan)]
			}
			if step&1 == 1 {
				m.take(int(step >> 4))
				m.check()
			}
			if step&2 == 2 {
				m.hold(1+int(step>>4), 16)
				m.check()
			}
			more := m.scan()
			m.check()
			if !more {
				return
			}
		}
	})
}

// TestHold reads far more than a buffer while it holds the beginning, which it then releases.
func TestHold(t *testing.T) {
	line := "12345678,\"some text of a line\"\n"
	in := []byte(strings.Repeat(line, 3*readSize/len(line)))
	m := &mirror{t: t, in: in, held: -1, scanner: New(iotest.HalfReader(bytes.NewReader(in)), Dialect{})}
	m.scan()
	m.hold(1, 2)
	for m.at < len(in) {
		m.scan()
		m.take(7_000)
	}
	m.check()
	if len(m.scanner.buffer) < len(in) {
		t.Fatalf("a buffer of %d bytes for %d held bytes", len(m.scanner.buffer), len(in))
	}
	m.hold(1, 1)
	if m.scan() {
		t.Fatal("a record after the last line")
	}
	m.check()
}

func TestOneByteAtATime(t *testing.T) {
	in := []byte("id,name\r\n1,\"a\"\n\n2,b\n3,c")
	m := &mirror{t: t, in: in, held: -1, scanner: tight(iotest.OneByteReader(bytes.NewReader(in)), Dialect{}, 1)}
	m.check()
	for m.scan() {
		m.check()
		m.take(1) // complete only if the last Scan has read it
		m.hold(1, 3)
		m.check()
	}
}

// TestHoldAcrossLongLines holds a line, reads one that is too long, and checks the held input.
func TestHoldAcrossLongLines(t *testing.T) {
	for _, size := range []int{MaxLine, MaxLine + 1, MaxLine + 2, MaxLine + readSize, 3 * MaxLine, 8*MaxLine + 1} {
		for _, held := range []bool{false, true} {
			in := "1,first\n" + strings.Repeat("x", size) + "\n2,second\n3,third\n4,fourth"
			s := New(strings.NewReader(in), Dialect{})
			s.Scan()
			if held {
				s.Hold(0)
			}
			if !s.Scan() || s.TooLong() != (size > MaxLine) || s.Raw()[0] != 'x' || len(s.Raw()) != min(size, MaxLine) {
				t.Fatalf("%d bytes: too long %v, %d of them", size, s.TooLong(), len(s.Raw()))
			}
			if !s.Scan() || string(s.Raw()) != "2,second" || s.Offset() != int64(size)+9 {
				t.Fatalf("after %d bytes: %q at byte %d", size, s.Raw(), s.Offset())
			}
			window := s.Window()
			if want := "3,third\n4,fourth" + strings.Repeat("\x00", Slack); string(window) != want {
				t.Errorf("after %d bytes: the Window is %q, want %q", size, window, want)
			}
			buffer, origin := s.Held()
			if at := s.Position() - origin; string(buffer[at-9:at]) != "2,second\n" || string(buffer[at:at+8]) != "3,third\n" {
				t.Errorf("after %d bytes: around Position(): %q", size, buffer[at-9:at+8])
			}
			if held && string(buffer[-origin:8-origin]) != "1,first\n" {
				t.Errorf("after %d bytes: held is %q, want the first line", size, buffer[-origin:8-origin])
			}
			before := s.Position()
			s.Take(8, 1)
			if s.Position() != before+8 || s.BytesRead() != int64(len(in)-8) || s.Line() != 4 {
				t.Errorf("after Take: Position() moved by %d, BytesRead() = %d, Line() = %d", s.Position()-before, s.BytesRead(), s.Line())
			}
			if !s.Scan() || string(s.Raw()) != "4,fourth" || s.Line() != 5 || s.Ended() || s.Scan() || s.Err() != nil {
				t.Errorf("after Take: %q in line %d, %v", s.Raw(), s.Line(), s.Err())
			}
		}
	}
}
