package dump

import "systemscale/etl/internal/shape"

// reading is a shape.Reading. The first one of a look-up source is that of the Dump's own reader, which counts its rows and rejects. All
// others are apart.
type reading struct {
	shape.Reading
	apart bool
}

// readingsOf returns the readings before the pass, in order.
func readingsOf(spec *shape.Shape) []reading {
	var readings []reading
	read := map[int]bool{0: true}
	for _, r := range spec.Readings() {
		readings = append(readings, reading{r, read[r.Source]})
		read[r.Source] = true
	}
	return readings
}
