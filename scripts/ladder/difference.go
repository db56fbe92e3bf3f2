package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
)

// difference returns the first difference of two bodies as JSON values, with its path such as $.results[2].name, or "" if they are equal.
// The order of an object's members, the space between values and the notation of numbers are no difference.
func difference(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	wanted, err := parse(want)
	if err != nil {
		return "the published document is not JSON: " + err.Error()
	}
	answered, err := parse(got)
	if err != nil {
		return fmt.Sprintf("the answer is not JSON (%v): %.200q", err, got)
	}
	return differ("$", wanted, answered)
}

// parse parses one JSON value. encoding/json is used because it accepts nothing else than JSON.
func parse(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more follows after byte %d", decoder.InputOffset())
	}
	return value, nil
}

func differ(path string, want, got any) string {
	switch wanted := want.(type) {
	case map[string]any:
		if answered, is := got.(map[string]any); is {
			return differInMember(path, wanted, answered)
		}
	case []any:
		if answered, is := got.([]any); is {
			return differInElement(path, wanted, answered)
		}
	case json.Number:
		if answered, is := got.(json.Number); is && sameNumber(wanted, answered) {
			return ""
		}
	default:
		if want == got { // strings, booleans, null
			return ""
		}
	}
	return fmt.Sprintf("%s is %s, want %s", path, excerpt(got), excerpt(want))
}

func differInMember(path string, want, got map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		member := path + "." + name
		value, found := got[name]
		if !found {
			return fmt.Sprintf("%s is missing, want %s", member, excerpt(want[name]))
		}
		if found := differ(member, want[name], value); found != "" {
			return found
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, found := want[name]; !found {
			return fmt.Sprintf("%s.%s is %s, want no such member", path, name, excerpt(got[name]))
		}
	}
	return ""
}

func differInElement(path string, want, got []any) string {
	for i := range min(len(want), len(got)) {
		if found := differ(fmt.Sprintf("%s[%d]", path, i), want[i], got[i]); found != "" {
			return found
		}
	}
	if len(want) != len(got) {
		return fmt.Sprintf("%s has %d elements, want %d", path, len(got), len(want))
	}
	return ""
}

// sameNumber reports whether two numbers have the same value, such as 1.50 and 15e-1.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, isX := new(big.Rat).SetString(a.String())
	y, isY := new(big.Rat).SetString(b.String())
	return isX && isY && x.Cmp(y) == 0
}

// excerpt returns the beginning of a value as JSON.
func excerpt(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if len(text) > 200 {
		return string(text[:200]) + "…"
	}
	return string(text)
}
