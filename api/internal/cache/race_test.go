//go:build race

package cache

// raced reports that the race detector is on. It drops objects from pools at random, and slows the tests down about tenfold.
const raced = true
