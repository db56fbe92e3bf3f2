package source

import (
	"bytes"
	"fmt"
	"testing"

	"systemscale/etl/internal/shape"
)

// BenchmarkNext reads plain rows, and rows of which every tenth needs convert, in items of ten rows.
func BenchmarkNext(b *testing.B) {
	spec := &shape.Source{
		File: "skus.csv", Key: shape.Indices{0}, ParentKey: shape.Indices{1}, Rendered: []int{0, 2, 3},
		Columns: []shape.Column{
			{Name: "id", Type: shape.Int},
			{Name: "styleId", Type: shape.Int},
			{Name: "size", Type: shape.Text},
			{Name: "quantity", Type: shape.Int, Nullable: true},
		},
	}
	for name, sizes := range map[string][]string{
		"plain": {`"XS"`}, "mixed": {`"S"`, `"M"`, `"L"`, `"XL"`, `"2"`, `"3"`, `"4"`, `"5"`, `"6"`, `"7 ""wide"""`},
	} {
		b.Run(name, func(b *testing.B) {
			var in bytes.Buffer
			in.WriteString("id,styleId,size,quantity\n")
			const rows = 200_000
			for i := range rows {
				fmt.Fprintf(&in, "%d,%d,%s,%d\n", i+1, i/10+1, sizes[i%len(sizes)], i%50)
			}
			b.SetBytes(int64(in.Len()))
			b.ReportAllocs()
			for b.Loop() {
				reader, err := NewReader(bytes.NewReader(in.Bytes()), spec, dialect, &memory{}, Options{})
				if err != nil {
					b.Fatal(err)
				}
				read := 0
				for {
					found, err := reader.Next()
					if err != nil {
						b.Fatal(err)
					}
					if !found {
						break
					}
					if read++; read%10 == 0 {
						reader.Release()
					}
				}
				if read != rows {
					b.Fatalf("%d rows, want %d", read, rows)
				}
			}
		})
	}
}
