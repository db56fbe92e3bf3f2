package main

// The real files' numbers of rows. The generator's weights are chosen so that as many products give as many rows, to within a few tenths
// of a percent. Dirt is in proportion to them.
const (
	realProducts = 1_000_011
	realFeatures = 2_219_279
	realStyles   = 1_958_102
	realPhotos   = 5_655_656
	realSKUs     = 11_323_917
	realRelated  = 4_508_263

	realZeroRelated   = 58
	realStrayLetters  = 10_000 // about
	realMissingQuotes = 10
)

// The number of children of a parent, in parts of 10,000; the index is the number of children.
var (
	stylesPerProduct   = weighted(2100, 2530, 1900, 1670, 1200, 300, 200, 60, 40)            // mean 1.9580
	featuresPerProduct = weighted(100, 2408, 3892, 2500, 1000, 100)                          // mean 2.2192
	photosPerStyle     = weighted(200, 2016, 2584, 2200, 1500, 800, 400, 0, 200, 0, 0, 100)  // mean 2.8884
	relatedPerProduct  = weighted(991, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1009) // mean 4.5081
)

// catalog is the content of the six files. It is not changed while they are written.
type catalog struct {
	products  int64
	seed      uint64
	dirt      bool
	malformed bool
	change    float64 // share of the products that differ from the catalog without a change
	shuffle   bool
}

// expected scales a number of rows of the real files to this catalog's number of products; at least 1.
func (c catalog) expected(rows int64) int64 {
	return max(1, rows*c.products/realProducts)
}

// shown is the number of complete products at the beginning of a catalog. People and programs look at these first. Each has styles, each
// style has photos and SKUs, no feature value is the word "null", and they are related only to one another. Some clients of the real
// service show nothing where any of this is missing. All other products are as incomplete as the real ones.
const shown = 100

// shownFeatures returns the number of rows in features.csv that belong to the products that are shown.
func (c catalog) shownFeatures() (rows int64) {
	var s stream
	for id := int64(1); id <= min(c.products, shown); id++ {
		s.restart(c.seed, purposeFeatureFile, id)
		rows += pick(&s, featuresPerProduct)
	}
	return rows
}

// product holds the values that several files have in common. The same catalog gives the same product for an id.
type product struct {
	id       int64
	category category
	price    int64
	styles   int64
	changed  bool
}

func (p product) isShown() bool { return p.id <= shown }

// atLeastOne returns the number of children that was picked for a product or for one of its styles, and at least 1 if it is shown.
func (p product) atLeastOne(picked int64) int64 {
	if p.isShown() {
		return max(1, picked)
	}
	return picked
}

// product returns the product with an id, counted from 1. It restarts s.
func (c catalog) product(s *stream, id int64) product {
	s.restart(c.seed, purposeProduct, id)
	p := product{id: id, category: pick(s, categories), price: 1 + s.below(1000), styles: pick(s, stylesPerProduct)}
	p.styles = p.atLeastOne(p.styles)
	if s.oneIn(20_000) {
		p.price = 500_000_000
	}
	p.changed = c.changes(s, id)
	return p
}

// changes reports whether the product with an id is changed. A larger share changes all products that a smaller one changes.
func (c catalog) changes(s *stream, id int64) bool {
	const parts = 1 << 30
	s.restart(c.seed, purposeChange, id)
	return float64(s.below(parts)) < c.change*parts
}

func (c catalog) countChanged() int64 {
	var s stream
	var count int64
	for id := int64(1); id <= c.products && c.change > 0; id++ {
		if c.changes(&s, id) {
			count++
		}
	}
	return count
}
