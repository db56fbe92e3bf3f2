package main

import "testing"

func TestDifference(t *testing.T) {
	const want = `{"id": 1, "name": "a", "price": 140.00, "results": [{"skus": {"37": 8}}, null], "on": true}`
	for _, test := range []struct{ got, difference string }{
		{want, ""},
		{`{"on":true,"results":[{"skus":{"37":8.0}},null],"price":1.4e2,"name":"\u0061","id":1}`, ""},
		{`{"id": 1, "name": "b", "price": 140, "results": [{"skus": {"37": 8}}, null], "on": true}`, `$.name is "b", want "a"`},
		{`{"id": "1", "name": "a", "price": 140, "results": [{"skus": {"37": 8}}, null], "on": true}`, `$.id is "1", want 1`},
		{`{"id": 1, "name": "a", "price": 140.01, "results": [{"skus": {"37": 8}}, null], "on": true}`, `$.price is 140.01, want 140.00`},
		{`{"id": 1, "name": "a", "price": 140, "results": [{"skus": {"38": 8}}, null], "on": true}`, `$.results[0].skus.37 is missing, want 8`},
		{`{"id": 1, "name": "a", "price": 140, "results": [{"skus": {"37": 8}}], "on": true}`, `$.results has 1 elements, want 2`},
		{`{"id": 1, "name": "a", "price": 140, "results": [{"skus": {"37": 8}}, {}], "on": true}`, `$.results[1] is {}, want null`},
		{`{"id": 1, "name": "a", "price": 140, "results": [{"skus": {"37": 8}}, null], "on": true, "z": 1}`, `$.z is 1, want no such member`},
		{`[]`, `$ is [], want {"id":1,"name":"a","on":true,"price":140.00,"results":[{"skus":{"37":8}},null]}`},
		{want + "]", "the answer is not JSON (more follows after byte 91): "},
		{"", `the answer is not JSON (EOF): ""`},
	} {
		got := difference([]byte(want), []byte(test.got))
		if len(got) > len(test.difference) && test.difference != "" {
			got = got[:len(test.difference)] // without the excerpt
		}
		if got != test.difference {
			t.Errorf("%s: %s, want %s", test.got, got, test.difference)
		}
	}
}
