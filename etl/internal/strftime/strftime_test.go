package strftime

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	for _, c := range []struct{ format, text, date, time string }{
		{"%Y-%m-%d", "2024-01-31", "2024-01-31", "2024-01-31T00:00:00Z"},
		{"%Y%m%d", "20240131", "2024-01-31", ""},
		{"%d/%m/%Y %H:%M", "31/1/2024 9:05", "2024-01-31", "2024-01-31T09:05:00Z"},
		{"%d.%m.%y", "01.02.69", "1969-02-01", ""},
		{"%d.%m.%y", "01.02.68", "2068-02-01", ""},
		{"%e %B %Y", " 5 MARCH 2020", "2020-03-05", ""},
		{"%e %B %Y", "15 mar 2020", "2020-03-15", ""},
		{"%b %d, %Y %I:%M:%S %p", "May 07, 2021 12:00:01 AM", "2021-05-07", "2021-05-07T00:00:01Z"},
		{"%b %d, %Y %I:%M:%S %p", "May 07, 2021 12:00:01 pm", "2021-05-07", "2021-05-07T12:00:01Z"},
		{"%Y-%m-%d %I%p", "2021-05-07 11PM", "2021-05-07", "2021-05-07T23:00:00Z"},
		{"%Y-%m-%dT%H:%M:%S.%fZ", "2020-07-30T03:41:21.467Z", "2020-07-30", "2020-07-30T03:41:21.467Z"},
		{"%Y-%m-%d %H:%M:%S.%f%z", "2020-07-30 03:41:21.4+02", "2020-07-30", "2020-07-30T01:41:21.400Z"},
		{"%Y-%m-%d %H:%M:%S.%f%z", "2020-07-30 03:41:21+02", "2020-07-30", "2020-07-30T01:41:21.000Z"},
		{"%Y-%m-%d %H:%M:%S.%f%z", "2020-07-30 03:41:21.999999999-0330", "2020-07-30", "2020-07-30T07:11:21.999Z"},
		{"%F %T%z", "2024-01-01 00:30:00+01:00", "2024-01-01", "2023-12-31T23:30:00Z"},
		{"%F %T%z", "2024-02-28 23:30:00-01:00", "2024-02-28", "2024-02-29T00:30:00Z"},
		{"%FT%R%z", "2024-02-28T23:30Z", "2024-02-28", "2024-02-28T23:30:00Z"},
		{"%a, %d %b %Y %H:%M:%S %Z", "Wed, 21 Oct 2015 07:28:00 GMT", "2015-10-21", "2015-10-21T07:28:00Z"},
		{"%A %D", "Wednesday 10/21/15", "2015-10-21", ""},
		{"100%% %Y/%m/%d", "100% 0001/12/31", "0001-12-31", ""},
		{"%Y-%m-%d", "2000-02-29", "2000-02-29", ""},
		{"epoch s", "1596080481", "2020-07-30", "2020-07-30T03:41:21Z"},
		{"epoch s", "-1", "1969-12-31", "1969-12-31T23:59:59Z"},
		{"epoch ms", "1596080481467", "2020-07-30", "2020-07-30T03:41:21.467Z"},
		{"epoch ms", "-1", "1969-12-31", "1969-12-31T23:59:59.999Z"},
		{"epoch s", "253402300799", "9999-12-31", "9999-12-31T23:59:59Z"},
	} {
		l, err := Compile(c.format)
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		if got, ok := l.AppendDate([]byte("x"), []byte(c.text)); !ok || string(got) != "x"+c.date {
			t.Errorf("%s in the format %s is %q (%v), want %s", c.text, c.format, got, ok, c.date)
		}
		if got, ok := l.AppendTime([]byte("x"), []byte(c.text)); c.time != "" && (!ok || string(got) != "x"+c.time) {
			t.Errorf("%s in the format %s is %q (%v), want %s", c.text, c.format, got, ok, c.time)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for format, texts := range map[string][]string{
		"%Y-%m-%d": {
			"", "2024-02-30", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32", "24-01-31",
			"2024-01-31 ", " 2024-01-31", "2024/01/31", "20240131", "2024-01", "2024-1-", "2024-01-31x", "２024-01-31",
		},
		"%Y%m%d":                {"2024131", "2024-01-31", "202401311"},
		"%H:%M %d.%m.%Y":        {"24:00 01.01.2024", "23:60 01.01.2024", "-1:00 01.01.2024", ":00 01.01.2024"},
		"%F %T":                 {"2016-12-31 23:59:60", "2016-12-31T23:59:59"},
		"%I:%M %p %F":           {"13:00 PM 2024-01-01", "0:30 AM 2024-01-01", "1:00 XM 2024-01-01"},
		"%F %T.%f":              {"2024-01-01 00:00:00.", "2024-01-01 00:00:00.1234567890", "2024-01-01 00:00:00,5"},
		"%F %H%z":               {"2024-01-01 10", "2024-01-01 10+1", "2024-01-01 10+01:5", "2024-01-01 10+16", "2024-01-01 10+010", "0000-01-01 00+01"},
		"%F %H %Z":              {"2024-01-01 10 CET", "2024-01-01 10 "},
		"%a %F":                 {"Tue 2024-01-31", "Mi 2024-01-31"},
		"%d %b %Y":              {"01 Mai 2024", "01 Ma 2024"},
		"epoch s":               {"", "-", "1.5", "1e9", "253402300800", "-62167219201", "99999999999999999999", "+1"},
		"epoch ms":              {"253402300800000", "15960804814671596"},
		"%d/%m/%Y %H:%M um %%d": {"31/1/2024 9:05 um 31"},
	} {
		l, err := Compile(format)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		for _, text := range texts {
			if got, ok := l.AppendTime([]byte("x"), []byte(text)); ok || string(got) != "x" {
				t.Errorf("%q in the format %s is %q", text, format, got)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for format, want := range map[string]string{
		"%Y-%m":             "has no year, month and day",
		"%m-%d":             "has no year, month and day",
		"YYYY-MM-DD":        "has no year, month and day",
		"":                  "has no year, month and day",
		"epoch us":          "has no year, month and day",
		"%Y-%m-%d %q":       "has the unknown directive %q; the directives are %Y",
		"%Y-%m-%d %E":       "has the unknown directive %E",
		"%Y-%m-%d %":        "ends with %",
		"%Y-%m-%d %Y":       "has %Y twice",
		"%F %Y":             "has %Y twice",
		"%Y-%y-%m-%d":       "has two of %Y %y",
		"%d %m %b %Y":       "has two of %m %b",
		"%F %I:%M":          "needs %I",
		"%F %H:%M %p":       "needs %I",
		"%F %H %I %p":       "has two of %H %I",
		"%F %M":             "has a smaller unit of time",
		"%F %H:%S":          "has a smaller unit of time",
		"%F %H:%M.%f":       "has a smaller unit of time",
		"%s":                "write epoch s instead",
		"%Y-%m-%d \u00fc%é": "has the unknown directive",
	} {
		if l, err := Compile(format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile(%q) = %v, %v, want an error with %q", format, l, err, want)
		}
	}
}

// FuzzAppend compares with package time, for the formats that both have.
func FuzzAppend(f *testing.F) {
	layouts := [][2]string{
		{"%Y-%m-%d", "2006-01-02"},
		{"%Y-%m-%dT%H:%M:%S%z", time.RFC3339},
		{"%d/%m/%Y %H:%M", "02/01/2006 15:04"},
		{"%b %d, %Y %I:%M:%S %p", "Jan 02, 2006 03:04:05 PM"},
	}
	for i := range layouts {
		f.Add(uint8(i), int64(1_596_080_481), 3600)
		f.Add(uint8(i), int64(-1), -60)
		f.Add(uint8(i), int64(951_826_000), 0)
	}
	f.Fuzz(func(t *testing.T, which uint8, seconds int64, offset int) {
		layout := layouts[int(which)%len(layouts)]
		offset = offset % (15 * 60) * 60
		at := time.Unix(seconds%lastSecond, 0).In(time.FixedZone("", offset))
		if at.Year() < 1 || at.Year() > 9999 || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
			return
		}
		l, err := Compile(layout[0])
		if err != nil {
			t.Fatal(err)
		}
		text := at.Format(layout[1])
		want, err := time.Parse(layout[1], text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := l.AppendTime(nil, []byte(text)); !ok || string(got) != want.UTC().Format("2006-01-02T15:04:05Z") {
			t.Errorf("%s in the format %s is %s (%v), want %s", text, layout[0], got, ok, want.UTC())
		}
		if got, ok := l.AppendDate(nil, []byte(text)); !ok || string(got) != want.Format("2006-01-02") {
			t.Errorf("%s in the format %s is %s (%v), want %s", text, layout[0], got, ok, want)
		}
		for format, units := range map[string]int64{"epoch s": 1, "epoch ms": 1000} {
			l, err := Compile(format)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprint(at.Unix() * units)
			if got, ok := l.AppendDate(nil, []byte(text)); !ok || string(got) != at.UTC().Format("2006-01-02") {
				t.Errorf("%s in the format %s is %s (%v), want %s", text, format, got, ok, at.UTC())
			}
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	for format, text := range map[string]string{
		"%a, %d %b %Y %I:%M:%S.%f %p %z": "Wed, 21 Oct 2015 07:28:00.5 PM +0230", "epoch ms": "1596080481467",
	} {
		l, err := Compile(format)
		if err != nil {
			t.Fatal(err)
		}
		in, dst := []byte(text), make([]byte, 0, 32)
		if n := testing.AllocsPerRun(100, func() {
			if _, ok := l.AppendTime(dst, in); !ok {
				t.Fatalf("%s does not have the format %s", text, format)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
}
