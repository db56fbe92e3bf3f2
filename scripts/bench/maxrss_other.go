//go:build !linux

package main

// maxrssUnit is the unit of Rusage.Maxrss in bytes: macOS and the BSDs count bytes.
const maxrssUnit = 1
