package dump

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/shapes"
	"systemscale/sql"
)

// writeCatalog writes the files of a built-in catalog and two shapes: plain.yaml, and cards.yaml, which shows a card for each
// related product.
func writeCatalog(b *testing.B, products int) (directory string) {
	b.Helper()
	texts := map[string]*strings.Builder{}
	add := func(file, header, format string, values ...any) {
		if texts[file] == nil {
			texts[file] = &strings.Builder{}
			texts[file].WriteString(header + "\n")
		}
		fmt.Fprintf(texts[file], format+"\n", values...)
	}
	for p := 1; p <= products; p++ {
		add("product.csv", "id,name,slogan,description,category,default_price", `%d,"Product %d","%s","%s","Shoes","%d"`,
			p, p, strings.Repeat("slogan ", 7), strings.Repeat("description ", 20), 10+p%90)
		for n := range 2 {
			add("features.csv", "id,product_id,feature,value", `%d,%d,"Fabric","Canvas"`, 2*p+n, p)
			style := 2*p + n
			add("styles.csv", "id,productId,name,sale_price,original_price,default_style", `%d,%d,"Style %d",null,%d,%d`, style, p, n, 20+p%70, n)
			for i := range 3 {
				url := fmt.Sprintf("https://images.example.com/photo-%d?ixlib=rb-1.2.1&auto=format&fit=crop&w=1650&q=80", 3*style+i)
				add("photos.csv", "id,styleId,url,thumbnail_url", `%d,%d,"%s","%[3]s&thumb"`, 3*style+i, style, url)
			}
			for i := range 6 {
				add("skus.csv", "id,styleId,size,quantity", `%d,%d,"M",%d`, 6*style+i, style, i)
			}
		}
		for n := range 4 {
			add("related.csv", "id,current_product_id,related_product_id", "%d,%d,%d", 4*p+n, p, 1+(p*7919+n*104729)%products)
		}
	}
	files := map[string]string{"plain.yaml": string(shapes.Products)}
	files["cards.yaml"] = strings.Replace(files["plain.yaml"], "body: {each: related, as: related_product_id}", `body:
      each: related
      as:
        lookup: product
        by: related_product_id
        as: {id: id, name: name, price: default_price, photo: {one: styles, as: {one: photos, as: thumbnail_url}}}`, 1)
	if files["cards.yaml"] == files["plain.yaml"] {
		b.Fatal("the built-in shape has another body of related")
	}
	for name, text := range texts {
		files[name] = text.String()
	}
	directory = b.TempDir()
	dumptest.Write(b, directory, files)
	return directory
}

// BenchmarkCards renders the built-in catalog, and the same with a card for each related product instead of its id. The second reads half
// of the files twice.
func BenchmarkCards(b *testing.B) {
	directory := writeCatalog(b, 20_000)
	for _, name := range []string{"plain", "cards"} {
		b.Run(name, func(b *testing.B) {
			options := Options{
				Directory: directory, Shape: filepath.Join(directory, name+".yaml"), Temp: b.TempDir(), Logger: slog.New(slog.DiscardHandler),
			}
			for b.Loop() {
				d, err := Open(b.Context(), options)
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Pass(b.Context(), Handlers{Document: func(int, sql.ID, uint64, []byte) error { return nil }}); err != nil {
					b.Fatal(err)
				}
				d.Close()
				b.SetBytes(d.Size())
			}
		})
	}
}
