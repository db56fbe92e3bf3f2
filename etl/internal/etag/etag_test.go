package etag_test

import (
	"bytes"
	"testing"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/etag"
)

func keyed(t *testing.T, first byte) etag.Hash {
	t.Helper()
	h, err := etag.Keyed(append([]byte{first}, make([]byte, etag.KeySize-1)...))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashesDependOnKeyAndBody(t *testing.T) {
	var unkeyed etag.Hash
	one, other := keyed(t, 1), keyed(t, 2)
	seen := map[uint64]string{}
	for _, h := range []struct {
		name string
		hash etag.Hash
	}{{"xxh3", unkeyed}, {"one key", one}, {"another key", other}} {
		for _, size := range []int{0, 1, 31, 32, 33, 240, 241, 4096} {
			body := bytes.Repeat([]byte("a"), size)
			sum := h.hash.Of(body)
			if before, found := seen[sum]; found {
				t.Errorf("%s of %d bytes is %016x, as before of %s", h.name, size, sum, before)
			}
			seen[sum] = h.name
			if again := h.hash.Of(body); again != sum {
				t.Errorf("%s of %d bytes is %016x, then %016x", h.name, size, sum, again)
			}
		}
	}
	if got, want := unkeyed.Of([]byte("{}")), xxh3.HashString("{}"); got != want {
		t.Errorf("the zero value gives %016x, want the xxh3 hash %016x", got, want)
	}
	if one == other || one != keyed(t, 1) {
		t.Error("hashes are equal if their keys differ, or different if they do not")
	}
}

// TestHashOfStoredDocuments fails if a later version of the library has other hashes, which would make all documents changed.
func TestHashOfStoredDocuments(t *testing.T) {
	hash := keyed(t, 7)
	if got := hash.Of([]byte(`{"id":1}`)); got != 0x1bc9c19d95ef728 {
		t.Errorf("%#x, want 0x1bc9c19d95ef728", got)
	}
}

func TestNames(t *testing.T) {
	key := keyed(t, 1)
	for name, want := range map[string]etag.Hash{etag.NameKeyed: key, "xxh3": {}, "": {}} {
		if got, err := etag.Named(name, key); err != nil || got != want {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if _, err := etag.Named("md5", key); err == nil {
		t.Error("an unknown name is no error")
	}
	if _, err := etag.Keyed(make([]byte, etag.KeySize-1)); err == nil {
		t.Error("a short key is no error")
	}
}
