package main

import (
	"slices"
	"strconv"
)

// source is one of the six files.
type source struct {
	name    string
	header  string
	purpose purpose
	dirt    []*dirt

	// write appends the rows of one product. The writer's random stream is at the start of the sequence for this file and product.
	write func(*writer, product)
}

// sources returns the six files of a catalog. Each can be written once, and in a separate goroutine.
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
	// The ten of the real file are all in its first 337 rows. A reader that lets fields span lines loses the rows between two of
	// them. Here they are close together too, at most 300 rows apart.
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

// childIDs generates the ids of one parent's rows. They are ascending, except for some swapped pairs in which the last digit 8 precedes
// 7, as in the real photos and SKUs.
type childIDs struct {
	count   int64 // rows of the parent
	first   int64 // id of its first row
	given   int64 // ids returned so far
	swapped bool  // the last id was one too high; the next is one too low
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

// appendSentence appends three to ten words and a full stop, escaped for a quoted field. In three sentences out of a hundred, a word in
// the middle is followed by a comma, is quoted, or is not ASCII.
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
