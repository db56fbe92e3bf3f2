package shape

import "slices"

// Tree returns the sources that form one tree: the root and all below it. The look-up sources follow them in Sources.
func (s *Shape) Tree() []Source {
	end := 1
	for end < len(s.Sources) && s.Sources[end].Parent >= 0 {
		end++
	}
	return s.Sources[:end]
}

// IsLookedUp reports whether a column has values of another source.
func (s *Source) IsLookedUp(column int) bool { return s.lookupOf(column) >= 0 }

// lookupOf returns the index of the look-up that gives a column its value, or -1.
func (s *Source) lookupOf(column int) int {
	return slices.IndexFunc(s.Lookups, func(l Lookup) bool { return l.Column == column })
}

// Places returns the indices in Rendered of columns that are rendered.
func (s *Source) Places(columns Indices) []int {
	places := make([]int, len(columns))
	for i, column := range columns {
		places[i] = slices.Index(s.Rendered, column)
	}
	return places
}

// nullable reports whether one of some columns is nullable.
func (s *Source) nullable(columns Indices) bool {
	return slices.ContainsFunc(columns, func(column int) bool { return s.Columns[column].Nullable })
}

// MissingColumn makes a column nullable that a file lacks, and the columns that show it.
func (s *Shape) MissingColumn(source, column int) {
	s.Sources[source].Columns[column].Nullable = true
	for changed := true; changed; {
		changed = false
		for i := range s.Sources {
			of := &s.Sources[i]
			for _, l := range of.Lookups {
				if l.Column < 0 || of.Columns[l.Column].Nullable {
					continue
				}
				t := &s.Tables[l.Table]
				if of.nullable(l.By) || s.Sources[t.Source].Columns[t.Column].Nullable {
					of.Columns[l.Column].Nullable, changed = true, true
				}
			}
		}
	}
}

// Reading is one reading of a source, before that of the items, that fills tables.
type Reading struct {
	Source int
	Tables []int // indices in Shape.Tables
	Reads  []int // the sources that are read
}

// Readings returns the readings that fill all tables, in order.
func (s *Shape) Readings() []Reading {
	var readings []Reading
	full := make([]bool, len(s.Tables))
	for slices.Contains(full, false) {
		var best *Reading
		wholly := false // best fills all tables of its source that are not full
		for source := range s.Sources {
			r := Reading{Source: source}
			waiting := 0
			for i, t := range s.Tables {
				switch {
				case t.Source != source || full[i]:
				case slices.ContainsFunc(t.Needs, func(need int) bool { return !full[need] }):
					waiting++
				default:
					r.Tables = append(r.Tables, i)
					r.Reads = append(r.Reads, t.Reads...)
				}
			}
			if len(r.Tables) > 0 && (best == nil || waiting == 0 && (!wholly || best.Source == 0)) {
				best, wholly = &r, waiting == 0
			}
		}
		slices.Sort(best.Reads)
		best.Reads = slices.Compact(best.Reads)
		for _, table := range best.Tables {
			full[table] = true
		}
		readings = append(readings, *best)
	}
	return readings
}

// EmptyJSON returns the JSON if there is no fragment.
func (l *Lookup) EmptyJSON() string {
	if l.Empty == "" {
		return "null"
	}
	return l.Empty
}
