package capacity

// Prediction compares the processor time of a request at one rung with what others let expect, in microseconds.
type Prediction struct {
	Rung      string
	How       string
	Predicted float64
	Measured  float64
}

// Error returns the share by which the prediction is above the measurement. It is negative if it is below.
func (p Prediction) Error() float64 { return p.Predicted/p.Measured - 1 }

// Mix is the processor time of a request of which a share is answered from a cache.
func Mix(hits, hit, miss float64) float64 { return hits*hit + (1-hits)*miss }

// Hits returns the share of requests that a cache answered, from the processor time per request of what is behind it: with the cache, and
// without. It is between 0 and 1.
func Hits(with, without float64) float64 { return min(1, max(0, 1-with/without)) }
