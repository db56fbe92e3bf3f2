package dump

import (
	"context"
	"errors"
	"io"
	"slices"

	"systemscale/etl/internal/document"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/lookup"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// fillTables reads the sources that are looked up and fills the tables of the shape.
func (d *Dump) fillTables(ctx context.Context, tick func()) error {
	if len(d.spec.Tables) == 0 {
		return nil
	}
	d.early = d.fillEarly
	d.tables = make([]*lookup.Table, len(d.spec.Tables))
	for _, r := range readingsOf(d.spec) {
		if err := d.fillReading(ctx, r, tick); err != nil {
			return err
		}
	}
	for i := range d.spec.Tree() {
		d.readers[i].LookUp(d.tables)
	}
	return nil
}

// fillEarly returns the tables that can be filled before the files are sorted; those that need items are nil. done removes them.
func (d *Dump) fillEarly(ctx context.Context) (tables []*lookup.Table, done func(), err error) {
	early := d.copy()
	early.tables = make([]*lookup.Table, len(d.spec.Tables))
	for _, r := range readingsOf(d.spec) {
		lacks := func(table int) bool {
			return slices.ContainsFunc(d.spec.Tables[table].Needs, func(need int) bool { return early.tables[need] == nil })
		}
		if r.Source == 0 || slices.ContainsFunc(r.Tables, lacks) {
			continue
		}
		r.apart = true
		if err := early.fillReading(ctx, r, nil); err != nil {
			early.Close()
			return nil, nil, err
		}
	}
	return early.tables, early.Close, nil
}

// fillReading fills the tables of one reading.
func (d *Dump) fillReading(ctx context.Context, r reading, tick func()) error {
	from := d
	if r.apart {
		apart, err := d.openApart(ctx, r.Reads)
		if err != nil {
			return err
		}
		defer apart.Close()
		from = apart
	}
	f := &filler{ctx: ctx, tick: tick, spec: d.spec, source: r.Source}
	err := f.begin(d.options.Temp, r.Tables)
	if err == nil {
		for _, i := range r.Reads {
			from.readers[i].LookUp(d.tables)
		}
		if r.Source == 0 {
			err = from.fillFromItems(f)
		} else {
			err = f.fillFromRows(from.readers[r.Source])
		}
	}
	if err != nil {
		return errors.Join(err, f.close())
	}
	for i, builder := range f.builders {
		table, err := builder.Table()
		if err != nil {
			return err
		}
		d.tables[r.Tables[i]] = table
		d.streams = append(d.streams, table)
	}
	return nil
}

// openApart opens the files of sources again. All other sources of the Dump are without rows.
func (d *Dump) openApart(ctx context.Context, sources []int) (*Dump, error) {
	apart := d.copy()
	apart.second = d.second
	apart.files, apart.skips = make([]*file, len(d.files)), make([]bool, len(d.files))
	for i, f := range d.files {
		apart.skips[i] = !slices.Contains(sources, i)
		apart.files[i] = f.again()
	}
	d.apart = append(d.apart, apart)
	return apart, apart.reopen(ctx)
}

// filler fills tables of one source.
type filler struct {
	ctx       context.Context
	tick      func()
	spec      *shape.Shape
	source    int
	keyPlaces []int // indices of the cells with the key
	key       []byte
	places    []int                // indices of the cells with the values, by table
	renderers []*document.Renderer // nil for a value
	builders  []*lookup.Builder
	buffer    []byte
	rows      int
}

func (f *filler) begin(temp string, tables []int) error {
	of := &f.spec.Sources[f.source]
	f.keyPlaces = of.Places(of.Key)
	for _, i := range tables {
		table := &f.spec.Tables[i]
		builder, err := lookup.NewBuilder(temp, f.source == 0)
		if err != nil {
			return err
		}
		f.builders = append(f.builders, builder)
		var renderer *document.Renderer
		if table.Body != nil {
			renderer = document.NewFragment(f.spec, table)
		}
		f.renderers = append(f.renderers, renderer)
		f.places = append(f.places, slices.Index(of.Rendered, table.Column))
	}
	return nil
}

// close frees the tables that are not complete.
func (f *filler) close() error {
	var errs []error
	for _, builder := range f.builders {
		errs = append(errs, builder.Close())
	}
	return errors.Join(errs...)
}

// fillFromRows reads a look-up source. Its file may have any order.
func (f *filler) fillFromRows(reader *source.Reader) error {
	of := &f.spec.Sources[f.source]
	for {
		more, err := reader.Next()
		if err != nil {
			return err
		}
		if !more {
			reader.Release()
			return nil
		}
		rows := reader.Rows()
		added, err := f.add(nil, rows, int32(rows.Len()-1))
		if err == nil && !added {
			err = reader.Reject(source.DuplicateKey, of.Key...)
		}
		if err != nil {
			return err
		}
		reader.Release()
	}
}

// fillFromItems joins the files of d, and adds each item.
func (d *Dump) fillFromItems(f *filler) error {
	tree := d.spec.Tree()
	joiner, err := join.New(tree, d.readers[:len(tree)], d.joinOptions(f.ctx))
	if err != nil {
		return err
	}
	defer joiner.Close()
	if limit := d.options.MaxDocument; limit > 0 {
		joiner.Watch(sizeGuard(d.spec, joiner, limit))
	}
	for {
		item, err := joiner.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			_, err = f.add(item, item.Rows(0), 0)
		}
		if err != nil {
			return err
		}
	}
}

// add adds a row to the tables. It returns false if they have its key already.
func (f *filler) add(tree *join.Tree, rows *source.Rows, row int32) (added bool, err error) {
	if f.rows++; f.rows%checkEvery == 0 {
		if f.tick != nil {
			f.tick()
		}
		if err := f.ctx.Err(); err != nil {
			return false, err
		}
	}
	cells := rows.Row(row)
	f.key, _ = rows.AppendLookupKey(f.key[:0], cells, f.keyPlaces) // a key is not null
	for i, builder := range f.builders {
		var value lookup.Value
		if renderer := f.renderers[i]; renderer != nil {
			f.buffer = renderer.AppendRow(f.buffer[:0], tree, rows, f.source, row)
			value = lookup.Value{Text: f.buffer, Plain: true}
		} else {
			cell := &cells[f.places[i]]
			value = lookup.Value{Text: rows.Text(cell), Null: cell.Null, Plain: cell.Plain}
		}
		if added, err = builder.Add(f.key, value); !added || err != nil {
			return false, err
		}
	}
	return true, nil
}
