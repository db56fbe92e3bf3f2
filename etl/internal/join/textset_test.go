package join

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestTextSetAgainstMap(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 42))
	number := 0
	for name, key := range map[string]func() string{
		"random": func() string { return fmt.Sprint(random.IntN(20_000)) },
		"nearly ascending": func() string {
			number++
			return fmt.Sprintf("%09d", number-random.IntN(2)*random.IntN(1000))
		},
		"ascending, with copies": func() string { number += random.IntN(2); return fmt.Sprintf("%09d", number) },
	} {
		t.Run(name, func(t *testing.T) {
			set := &textSet{}
			for range 3 {
				want := map[string]bool{}
				for range 12_000 {
					k := key()
					if found, full := set.add(k); found != want[k] || full {
						t.Fatalf("add(%s) = %v, full %v; want %v", k, found, full, want[k])
					}
					want[k] = true
				}
				set.clear()
			}
		})
	}
}

// TestTextSetIsFull: keys that ascend always have room. When they no longer do, those that are not stored may come twice.
func TestTextSetIsFull(t *testing.T) {
	set := &textSet{}
	for n := range mostAscending + 1000 {
		if found, full := set.add(fmt.Sprintf("%09d", n)); found || full {
			t.Fatalf("add of key %d = %v, full %v", n, found, full)
		}
	}
	if found, full := set.add(fmt.Sprintf("%09d", mostAscending+999)); !found || full {
		t.Errorf("add of the last key = %v, full %v", found, full)
	}
	if _, full := set.add("000000500"); !full {
		t.Error("a key goes back, and the set is not full")
	}
	*set = textSet{count: mostHashes, largest: "m"}
	if _, full := set.add("a"); !full {
		t.Error("the set has the most hashes and is not full")
	}
}
