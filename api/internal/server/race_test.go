//go:build race

package server

// raced says that the race detector is on. It makes pools forget on purpose, and everything some ten times as slow.
const raced = true
