package inspect

import "math/bits"

// spread counts different hashes, up to its number of bits.
type spread [64]uint64

func (s *spread) add(hash uint64) { s[hash>>6&63] |= 1 << (hash & 63) }

// atLeast returns a number of different values that the column has, at least.
func (s *spread) atLeast() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}
