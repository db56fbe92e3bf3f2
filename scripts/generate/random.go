package main

import (
	"math/bits"
	"math/rand/v2"
)

// stream is a sequence of random numbers that depends on what it is seeded with and on nothing else:
// PCG is specified to the bit, and below uses integers only. The zero value must be seeded before use.
// It is not safe for concurrent use.
type stream struct{ pcg rand.PCG }

// restart points the stream at the beginning of the sequence for one purpose and one number within it,
// such as a file and a product. Each has a sequence of its own, so that the files can be written
// independently of one another and still agree about a product.
func (s *stream) restart(seed uint64, purpose purpose, number int64) {
	s.pcg.Seed(seed, scatter(uint64(number)<<4|uint64(purpose)))
}

// scatter spreads neighboring numbers over all 64 bits: the finalizer of SplitMix64
// (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below returns a number from 0 to limit-1. It takes one number of the sequence whatever the limit;
// the bias of that is under limit/2^64. rand.Rand's own methods do not promise to stay as they are.
func (s *stream) below(limit int64) int64 {
	high, _ := bits.Mul64(s.pcg.Uint64(), uint64(limit))
	return int64(high)
}

// oneIn reports true once in limit calls on average.
func (s *stream) oneIn(limit int64) bool { return s.below(limit) == 0 }

// pick returns one of the choices, all equally likely.
func pick[T any](s *stream, choices []T) T { return choices[s.below(int64(len(choices)))] }

// weighted holds each index as often as its weight says, so that a pick among them is one look-up.
func weighted(weights ...int) []int64 {
	var indexes []int64
	for index, weight := range weights {
		for range weight {
			indexes = append(indexes, int64(index))
		}
	}
	return indexes
}

// purpose tells apart the streams of one seed. A new one goes at the end: the order is part of what a
// seed means.
type purpose uint8

const (
	purposeProduct purpose = iota // what several files must agree on
	purposeProductFile
	purposeFeatureFile
	purposeStyleFile
	purposePhotoFile
	purposeSKUFile
	purposeRelatedFile
	purposeQuotedNull
	purposeMissingQuote
	purposeStrayLetter
	purposeZero
	purposeChange
	purposeShuffle
	purposeMalformed
	purposeMalformedRow
)
