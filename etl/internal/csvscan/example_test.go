package csvscan_test

import (
	"fmt"
	"strings"

	"systemscale/etl/internal/csvscan"
)

func Example() {
	file := strings.NewReader("id,name\n1, \"Heir \"\"Force\"\" Ones\"\n2,5\" heel\n")
	scanner := csvscan.New(file, csvscan.Dialect{TrimSpaces: true})
	for scanner.Scan() {
		for _, field := range scanner.Fields() {
			if field.Damage == csvscan.BareQuote {
				fmt.Printf("line %d: a quote in the bare field %s\n", scanner.Line(), field.Text)
				continue
			}
			fmt.Printf("line %d: %s\n", scanner.Line(), field.Text)
		}
	}
	if err := scanner.Err(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// line 1: id
	// line 1: name
	// line 2: 1
	// line 2: Heir "Force" Ones
	// line 3: 2
	// line 3: a quote in the bare field 5" heel
}
