package main

import (
	"math/bits"
	"math/rand/v2"
)

// stream is a sequence of random numbers that depends only on its seed: the output of PCG is specified, and below uses only integers. The
// zero value must be seeded before use. It is not safe for concurrent use.
type stream struct{ pcg rand.PCG }

// restart moves the stream to the beginning of the sequence for a purpose and a number, such as a file and a product's id. Each pair has
// a sequence of its own, so that the files can be written independently and still have the same products.
func (s *stream) restart(seed uint64, purpose purpose, number int64) {
	s.pcg.Seed(seed, scatter(uint64(number)<<4|uint64(purpose)))
}

// scatter distributes consecutive numbers over all 64 bits. It is the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators", 2014).
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below returns a number from 0 to limit-1. It consumes one number of the sequence for any limit; the bias is below limit/2^64. The
// methods of rand.Rand may return other numbers in a later version of Go.
func (s *stream) below(limit int64) int64 {
	high, _ := bits.Mul64(s.pcg.Uint64(), uint64(limit))
	return int64(high)
}

// oneIn reports true once in limit calls on average.
func (s *stream) oneIn(limit int64) bool { return s.below(limit) == 0 }

// pick returns one of the choices, all equally likely.
func pick[T any](s *stream, choices []T) T { return choices[s.below(int64(len(choices)))] }

// weighted returns a slice that contains each index as often as its weight, so that pick needs only one lookup.
func weighted(weights ...int) []int64 {
	var indexes []int64
	for index, weight := range weights {
		for range weight {
			indexes = append(indexes, int64(index))
		}
	}
	return indexes
}

// purpose distinguishes the streams of one seed. A new purpose must be the last: the order determines the files of a seed.
type purpose uint8

const (
	purposeProduct purpose = iota // the values that several files have in common
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
