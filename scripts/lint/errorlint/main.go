// Command errorlint finds errors that are compared with == or asserted to a type where a wrapped error would not match. Run it as go vet's -vettool.
//
// It permits == io.EOF after a call of a method that reads, in addition to those of the standard library that errorlint knows: by the contract of
// io.Reader, a wrapped io.EOF is not the end of the input but a failure.
package main

import (
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	var reading []errorlint.AllowPair
	for _, method := range []string{
		"(*systemscale/etl/internal/extsort.Sorted).Next",
		"(*systemscale/etl/internal/extsort.merger).next",
		"(*systemscale/etl/internal/join.Joiner).Next",
	} {
		reading = append(reading, errorlint.AllowPair{Err: "io.EOF", Fun: method})
	}
	unitchecker.Main(errorlint.NewAnalyzer(errorlint.WithAllowedErrors(reading)))
}
