package cache

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/maypok86/otter/v2"
)

// overhead is how many bytes an entry in memory takes beside its key and value: in the map, in queues and as headers. The allocator adds up
// to an eighth.
const overhead = 192

func weigh(key string, value []byte) uint32 {
	size := len(key) + len(value)
	return uint32(size + size/8 + overhead)
}

// memory is a cache in this process. Documents that are read often stay (W-TinyLFU).
type memory struct{ cache *otter.Cache[string, []byte] }

func newMemory(size uint64, ttl time.Duration) (*memory, error) {
	options := &otter.Options[string, []byte]{
		MaximumWeight: size,
		Weigher:       weigh,
	}
	if ttl > 0 {
		options.ExpiryCalculator = otter.ExpiryWriting[string, []byte](ttl)
	}
	cache, err := otter.New(options)
	if err != nil {
		return nil, fmt.Errorf("make the cache: %w", err)
	}
	return &memory{cache}, nil
}

func (m *memory) get(key []byte) ([]byte, error) {
	// The map only compares the key, so it needs no copy.
	value, found := m.cache.GetIfPresent(unsafe.String(unsafe.SliceData(key), len(key)))
	if !found {
		return nil, errAbsent
	}
	return value, nil
}

func (m *memory) put(fills []fill) (int, error) {
	for _, f := range fills {
		m.cache.Set(string(f.key), f.value)
	}
	return len(fills), nil
}

func (m *memory) up() bool     { return true }
func (m *memory) bytes() int64 { return int64(m.cache.WeightedSize()) }
func (m *memory) close()       { m.cache.StopAllGoroutines() }
