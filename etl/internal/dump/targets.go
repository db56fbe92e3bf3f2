package dump

import (
	"context"
	"slices"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Targets are keys of rows that are looked up. It must be used by one goroutine.
type Targets struct {
	spec   *shape.Shape
	wanted []map[string]bool // by table; false once the row has been found
}

// NewTargets returns Targets without any key.
func (d *Dump) NewTargets() *Targets {
	t := &Targets{spec: d.spec, wanted: make([]map[string]bool, len(d.spec.Tables))}
	for i := range t.wanted {
		t.wanted[i] = map[string]bool{}
	}
	return t
}

// Add adds the keys that the last row of a reader of a source in the tree looks up.
func (t *Targets) Add(i int, reader *source.Reader) {
	t.add(i, reader, func(int) bool { return true })
}

// add is Add for some of the tables.
func (t *Targets) add(i int, reader *source.Reader, shown func(table int) bool) {
	of, rows := &t.spec.Sources[i], reader.Rows()
	cells := rows.Row(int32(rows.Len() - 1))
	for _, l := range of.Lookups {
		key, known := rows.AppendLookupKey(nil, cells, of.Places(l.By))
		if !known || !shown(l.Table) {
			continue
		}
		if _, there := t.wanted[l.Table][string(key)]; !there {
			t.wanted[l.Table][string(key)] = true
		}
	}
}

// next returns the first source of which a row is still wanted, or -1.
func (t *Targets) next() int {
	for table, keys := range t.wanted {
		for _, wanted := range keys {
			if wanted {
				return t.spec.Tables[table].Source
			}
		}
	}
	return -1
}

// take removes the key of the last row of a reader, and adds those that the row looks up. It reports whether the key was wanted.
func (t *Targets) take(i int, reader *source.Reader) (found bool) {
	of, rows := &t.spec.Sources[i], reader.Rows()
	key, _ := rows.AppendLookupKey(nil, rows.Row(int32(rows.Len()-1)), of.Places(of.Key)) // a key is not null
	for table := range t.wanted {
		if declared := &t.spec.Tables[table]; declared.Source == i && t.wanted[table][string(key)] {
			found = true
			t.wanted[table][string(key)] = false
			t.add(i, reader, func(other int) bool { return slices.Contains(declared.Needs, other) })
		}
	}
	return found
}

// LookedUp calls take for each row that the documents show of the Targets, and those that these look up, with the reader of its source. It
// must be called after Pass. Of an item that is looked up, it takes the row of the root source. It reads a file again for each look-up in a
// look-up.
func (d *Dump) LookedUp(ctx context.Context, t *Targets, take func(i int, reader *source.Reader)) error {
	for i := t.next(); i >= 0; i = t.next() {
		if err := d.lookedUpIn(ctx, i, t, take); err != nil {
			return d.unchanged(err)
		}
	}
	return nil
}

func (d *Dump) lookedUpIn(ctx context.Context, i int, t *Targets, take func(i int, reader *source.Reader)) error {
	missing := make([][]string, len(t.wanted))
	for table, keys := range t.wanted {
		for key, wanted := range keys {
			if wanted && d.spec.Tables[table].Source == i {
				missing[table] = append(missing[table], key)
			}
		}
	}
	apart, err := d.openApart(ctx, []int{i})
	if err != nil {
		return err
	}
	defer apart.Close()
	reader := apart.readers[i]
	reader.LookUp(d.tables)
	for count := 0; ; count++ {
		if count%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		more, err := reader.Next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if t.take(i, reader) {
			take(i, reader)
		}
		reader.Release()
	}
	for table, keys := range missing {
		for _, key := range keys {
			t.wanted[table][key] = false // no row has it, if none was found
		}
	}
	return nil
}
