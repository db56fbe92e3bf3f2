package main

import (
	"slices"
	"strconv"
)

// Rows of the real files. The generator's weights are chosen so that as many products give as many rows,
// to within a few tenths of a percent, and dirt is in proportion to them.
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

// How many children a parent has, in parts of 10,000; the index is the number of children.
var (
	stylesPerProduct   = weighted(2100, 2530, 1900, 1670, 1200, 300, 200, 60, 40)            // mean 1.9580
	featuresPerProduct = weighted(100, 2408, 3892, 2500, 1000, 100)                          // mean 2.2192
	photosPerStyle     = weighted(200, 2016, 2584, 2200, 1500, 800, 400, 0, 200, 0, 0, 100)  // mean 2.8884
	relatedPerProduct  = weighted(991, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1009) // mean 4.5081
)

// catalog is what the six files describe. It is not changed while they are written.
type catalog struct {
	products  int64
	seed      uint64
	dirt      bool
	malformed bool
	change    float64 // share of the products that are not what the seed says
	shuffle   bool
}

// shown is how many products at the beginning of a catalog are complete, because people and programs look at them first: each has
// styles, each style photos and SKUs, no feature value is the word "null", and they are related to one another only. Some clients of the
// real service show nothing where any of this is missing. All other products are as incomplete as the real ones.
const shown = 100

func (p product) isShown() bool { return p.id <= shown }

// atLeastOne returns the number of children that was picked for a product or for one of its styles.
func (p product) atLeastOne(picked int64) int64 {
	if p.isShown() {
		return max(1, picked)
	}
	return picked
}

// shownFeatures returns how many rows of features.csv belong to the products that are shown.
func (c catalog) shownFeatures() (rows int64) {
	var s stream
	for id := int64(1); id <= min(c.products, shown); id++ {
		s.restart(c.seed, purposeFeatureFile, id)
		rows += pick(&s, featuresPerProduct)
	}
	return rows
}

// expected scales a number of rows of the real files to this catalog's number of products; at least 1.
func (c catalog) expected(rows int64) int64 {
	return max(1, rows*c.products/realProducts)
}

// product is what several files must agree on. The same catalog gives the same product for an id.
type product struct {
	id       int64
	category category
	price    int64
	styles   int64
	changed  bool
}

// product returns the product of an id, counted from 1. It uses s and leaves it anywhere.
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

// changes reports whether the product of an id is one of those that are changed. With a larger share, the products
// of a smaller one are changed too.
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

// source is one of the six files.
type source struct {
	name    string
	header  string
	purpose purpose
	dirt    []*dirt

	// write appends the rows of one product. The writer's random stream is at the start of the sequence
	// for this file and product.
	write func(*writer, product)
}

// sources returns the six files of a catalog, ready to be written once. Each may be written in a goroutine
// of its own.
func (c catalog) sources() []source {
	return []source{c.productSource(), c.featureSource(), c.styleSource(), c.photoSource(), c.skuSource(), c.relatedSource()}
}

func (c catalog) productSource() source {
	write := func(w *writer, p product) {
		s := &w.random
		b := w.beginRow()
		b = strconv.AppendInt(b, p.id, 10)
		b = append(b, `,"`...)
		b = appendProductName(b, s, p.category.name)
		b = append(b, `","`...)
		b = appendSentence(b, s)
		b = append(b, `","`...)
		for sentence := range 3 + s.below(4) {
			if sentence > 0 {
				b = append(b, ' ')
			}
			b = appendSentence(b, s)
		}
		b = append(b, `","`...)
		b = append(b, p.category.name...)
		b = append(b, `",`...)
		price := p.price
		if p.changed {
			price = 1 + price%1000
		}
		b = strconv.AppendInt(b, price, 10)
		w.endRow(b)
	}
	return source{"product.csv", "id,name,slogan,description,category,default_price", purposeProductFile, nil, write}
}

func (c catalog) featureSource() source {
	quotedNull := &dirt{Kind: "quoted_null", Fate: fateKept}
	rows := c.expected(realFeatures)
	quotedNull.plan(c, purposeQuotedNull, max(1, rows/2000), rows*98/100, true)
	quotedNull.after(c.shownFeatures())

	var weights []int
	for _, feature := range features {
		weights = append(weights, feature.weight)
	}
	choices := weighted(weights...)

	write := func(w *writer, p product) {
		s := &w.random
		for range pick(s, featuresPerProduct) {
			feature := features[pick(s, choices)]
			b := w.beginRow()
			if quotedNull.spoils(w) {
				feature.quotedValue = `"null"`
			}
			b = strconv.AppendInt(b, w.rows, 10)
			b = append(b, ',')
			b = strconv.AppendInt(b, p.id, 10)
			b = append(b, ',')
			b = append(b, feature.quotedName...)
			b = append(b, ',')
			b = append(b, feature.quotedValue...)
			w.endRow(b)
		}
	}
	return source{"features.csv", "id,product_id,feature,value", purposeFeatureFile, []*dirt{quotedNull}, write}
}

func (c catalog) styleSource() source {
	write := func(w *writer, p product) {
		s := &w.random
		defaultStyle := int64(0)
		switch roll := s.below(100); {
		case p.styles == 0:
		case roll == 0:
			defaultStyle = s.below(p.styles)
		case roll <= 2:
			defaultStyle = -1
		}
		for style := range p.styles {
			b := w.beginRow()
			b = strconv.AppendInt(b, w.rows, 10)
			b = append(b, ',')
			b = strconv.AppendInt(b, p.id, 10)
			b = append(b, `,"`...)
			b = append(b, pick(s, colors)...)
			if s.oneIn(10) {
				b = append(b, " & "...)
				b = append(b, pick(s, colors)...)
			}
			b = append(b, `",`...)
			price := p.price
			if s.oneIn(16) {
				price = 1 + s.below(1300)
			}
			if s.oneIn(8) {
				b = strconv.AppendInt(b, 1+s.below(price), 10)
			} else {
				b = append(b, "null"...)
			}
			b = append(b, ',')
			b = strconv.AppendInt(b, price, 10)
			if style == defaultStyle {
				b = append(b, ",1"...)
			} else {
				b = append(b, ",0"...)
			}
			w.endRow(b)
		}
	}
	return source{"styles.csv", "id,productId,name,sale_price,original_price,default_style", purposeStyleFile, nil, write}
}

func (c catalog) photoSource() source {
	rows := c.expected(realPhotos)
	// The real file's ten all stand in its first 337 rows, where a reader that lets fields span lines
	// swallows what is between two of them. These keep close together too, 300 rows apart at most.
	missingQuote := &dirt{Kind: "missing_closing_quote", Fate: fateRepaired}
	slots := min(max(rows/300, 1), realMissingQuotes)
	missingQuote.plan(c, purposeMissingQuote, slots, min(rows/2, slots*300), false)
	strayLetter := &dirt{Kind: "uhttps", Fate: fateRepaired}
	strayLetter.plan(c, purposeStrayLetter, c.expected(realStrayLetters), rows*98/100, true)

	write := func(w *writer, p product) {
		s := &w.random
		for style := range p.styles {
			photos := p.atLeastOne(pick(s, photosPerStyle))
			ids := childIDs{count: photos, first: w.rows + 1}
			for range photos {
				photo := pick(s, photoPool)
				b := w.beginRow()
				b = strconv.AppendInt(b, ids.next(s), 10)
				b = append(b, ',')
				b = strconv.AppendInt(b, w.parents+style+1, 10)
				b = append(b, `,"`...)
				b = append(b, photo.address...)
				b = append(b, `","`...)
				if strayLetter.spoils(w) {
					b = append(b, 'u')
				}
				b = append(b, photo.thumbnail...)
				if !missingQuote.spoils(w) {
					b = append(b, '"')
				}
				w.endRow(b)
			}
		}
		w.parents += p.styles
	}
	return source{"photos.csv", "id,styleId,url,thumbnail_url", purposePhotoFile, []*dirt{missingQuote, strayLetter}, write}
}

func (c catalog) skuSource() source {
	write := func(w *writer, p product) {
		s := &w.random
		change := p.changed
		for style := range p.styles {
			sizes := p.category.sizes
			rare := s.below(1000)
			if rare <= 1 && !p.isShown() {
				sizes = nil
			}
			ids := childIDs{count: int64(len(sizes)), first: w.rows + 1}
			for _, size := range sizes {
				if rare == 2 && size == "XXL" {
					size = "XL" // two SKUs of one size
				}
				b := w.beginRow()
				b = strconv.AppendInt(b, ids.next(s), 10)
				b = append(b, ',')
				b = strconv.AppendInt(b, w.parents+style+1, 10)
				b = append(b, `,"`...)
				b = append(b, size...)
				b = append(b, `",`...)
				quantity := s.below(60)
				if change {
					quantity, change = (quantity+1)%60, false
				}
				b = strconv.AppendInt(b, quantity, 10)
				w.endRow(b)
			}
		}
		w.parents += p.styles
	}
	return source{"skus.csv", "id,styleId,size,quantity", purposeSKUFile, nil, write}
}

func (c catalog) relatedSource() source {
	zero := &dirt{Kind: "zero_related_product_id", Fate: fateFiltered}
	zero.plan(c, purposeZero, c.expected(realZeroRelated), c.expected(realRelated)*98/100, true)
	duplicate := &dirt{Kind: "duplicate", Fate: fateKept}
	selfReference := &dirt{Kind: "self_reference", Fate: fateKept}

	var earlier []int64
	write := func(w *writer, p product) {
		s := &w.random
		earlier = earlier[:0]
		others := c.products
		if p.isShown() {
			others = min(others, shown)
		}
		for range pick(s, relatedPerProduct) {
			related := 1 + s.below(others)
			switch roll := s.below(1000); {
			case roll <= 1 && len(earlier) > 0:
				related = earlier[len(earlier)-1]
			case roll == 2:
				related = p.id
			}
			b := w.beginRow()
			if zero.spoils(w) {
				related = 0
			} else {
				selfReference.count(related == p.id)
				duplicate.count(slices.Contains(earlier, related))
				earlier = append(earlier, related)
			}
			b = strconv.AppendInt(b, w.rows, 10)
			b = append(b, ',')
			b = strconv.AppendInt(b, p.id, 10)
			b = append(b, ',')
			b = strconv.AppendInt(b, related, 10)
			w.endRow(b)
		}
	}
	return source{
		"related.csv", "id,current_product_id,related_product_id", purposeRelatedFile,
		[]*dirt{zero, duplicate, selfReference},
		write,
	}
}

// childIDs hands out the ids of one parent's rows: ascending, but for some pairs that stand the wrong way
// round, always 8 before 7 in the last digit, as in the real photos and SKUs.
type childIDs struct {
	count   int64 // rows of the parent
	first   int64 // the parent's first id
	given   int64
	swapped bool // the last id given was one too high; the next is one too low
}

func (c *childIDs) next(s *stream) int64 {
	id := c.first + c.given
	c.given++
	switch {
	case c.swapped:
		c.swapped = false
		return id - 1
	case id%10 == 7 && c.given < c.count && s.oneIn(10):
		c.swapped = true
		return id + 1
	}
	return id
}

// appendProductName appends a name like the real ones: "Jaden Suit", "The Leo Jacket", "Omari 50 Coat".
func appendProductName(b []byte, s *stream, categoryName string) []byte {
	roll := s.below(100)
	if roll < 8 {
		b = append(b, "The "...)
	}
	b = append(b, pick(s, firstNames)...)
	switch {
	case roll >= 96:
		b = append(b, " 50"...)
	case roll >= 91:
		b = append(b, " 0"...)
	}
	b = append(b, ' ')
	return append(b, categoryName...)
}

// appendSentence appends three to ten words and a full stop, as they stand between quotes. In three
// sentences of a hundred a word in the middle is followed by a comma, quoted, or foreign.
func appendSentence(b []byte, s *stream) []byte {
	words := 3 + s.below(8)
	flourish, flourished := s.below(100), 1+s.below(words-2)
	for position := range words {
		word := pick(s, latinWords)
		if position > 0 {
			b = append(b, ' ')
		}
		switch {
		case position == 0:
			b = append(b, word[0]-'a'+'A')
			b = append(b, word[1:]...)
		case position != flourished || flourish > 2:
			b = append(b, word...)
		case flourish == 0:
			b = append(b, word...)
			b = append(b, ',')
		case flourish == 1:
			b = append(b, `""`...)
			b = append(b, word...)
			b = append(b, `""`...)
		case flourish == 2:
			b = append(b, pick(s, foreignWords)...)
		}
	}
	return append(b, '.')
}
