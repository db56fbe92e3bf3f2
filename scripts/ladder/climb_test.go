package main

import (
	"io"
	"strings"
	"testing"

	"systemscale/scripts/ladder/rung"
)

func TestSelectedRungs(t *testing.T) {
	all := []rung.Rung{{Name: "joins", Letter: "a"}, {Name: "joins-2", Letter: "c"}, {Name: "joins-4", Letter: "c"}}
	for _, test := range []struct {
		names []string
		want  int
		err   string
	}{
		{nil, 3, ""},
		{[]string{"a"}, 1, ""},
		{[]string{"c", "joins"}, 3, ""},
		{[]string{"joins", "other"}, 0, "no rung other; the rungs are joins, joins-2, joins-4"},
	} {
		got, err := selected(all, test.names)
		if len(got) != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%v: %d rungs, %v", test.names, len(got), err)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--products=-1", "at least 1"},
		{"--quick --full", "can't be used together"},
		{"--rungs other", "no rung other"},
	} {
		args := append([]string{"--admin", "postgres://127.0.0.1:1/"}, strings.Fields(test.args)...)
		if err := program.Execute(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
}
