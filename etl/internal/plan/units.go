package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// Percent is a share on the command line, such as 0.5%, in percent.
type Percent float64

// UnmarshalText reads a number from 0 to 100 with a percent sign.
func (p *Percent) UnmarshalText(text []byte) error {
	number, found := strings.CutSuffix(string(text), "%")
	value, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(value >= 0 && value <= 100) {
		return fmt.Errorf("%q is not a share between 0%% and 100%%, such as 5%% or 0.5%%", text)
	}
	*p = Percent(value)
	return nil
}

func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

// Of returns the share of whole, rounded down.
func (p Percent) Of(whole int64) int64 { return int64(float64(whole) * float64(p) / 100) }

// share returns part of whole in percent: 100 if whole is 0 and part is not.
func share(part, whole int64) Percent {
	switch {
	case part == 0:
		return 0
	case whole == 0:
		return 100
	}
	return Percent(100 * float64(part) / float64(whole))
}

// ByteSize is a number of bytes on the command line, such as 1MiB.
type ByteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads a whole number with a unit.
func (b *ByteSize) UnmarshalText(text []byte) error {
	for _, unit := range byteUnits {
		if number, found := strings.CutSuffix(string(text), unit.name); found {
			value, err := strconv.ParseInt(number, 10, 32)
			if err != nil || value < 0 {
				break
			}
			*b = ByteSize(value * unit.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is not a size, such as 1MiB, 512KiB or 2000B", text)
}

func (b ByteSize) String() string {
	for _, unit := range byteUnits {
		if b != 0 && int64(b)%unit.bytes == 0 {
			return strconv.FormatInt(int64(b)/unit.bytes, 10) + unit.name
		}
	}
	return "0B"
}
