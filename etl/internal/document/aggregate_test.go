package document

import (
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/shape"
	"systemscale/etl/shapes"
)

// BenchmarkAggregates renders the documents of a product as they are built in, and with aggregates over all its SKUs and related rows.
func BenchmarkAggregates(b *testing.B) {
	const body = "      features: {each: features"
	aggregated := strings.Replace(string(shapes.Products), body, `      skus: {count: styles.skus}
      quantity: {sum: quantity, of: styles.skus}
      least: {min: quantity, of: styles.skus}
      mean: {average: quantity, of: styles.skus}
      related: {count: related}
      newest: {max: related_product_id, of: related}
`+body, 1)
	if aggregated == string(shapes.Products) {
		b.Fatal("the built-in shape has no features")
	}
	for _, c := range []struct{ name, text string }{{"built-in", string(shapes.Products)}, {"aggregated", aggregated}} {
		spec, err := shape.Parse(shapes.ProductsName, []byte(c.text))
		if err != nil {
			b.Fatal(err)
		}
		tree := firstTree(b, spec)
		var renderers []*Renderer
		for i := range spec.Endpoints {
			renderers = append(renderers, New(spec, &spec.Endpoints[i]))
		}
		b.Run(c.name, func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				for _, renderer := range renderers {
					dst = renderer.Append(dst[:0], tree)
				}
			}
			if !json.Valid(dst) {
				b.Fatalf("%s is no JSON", dst)
			}
		})
	}
}
