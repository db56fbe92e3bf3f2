package plan

import "testing"

func TestPercentAndSize(t *testing.T) {
	for text, want := range map[string]string{
		"1%": "1%", "0.5%": "0.5%", "100%": "100%", "1": "", "101%": "", "-1%": "", "NaN%": "", "%": "",
	} {
		var p Percent
		if err := p.UnmarshalText([]byte(text)); (err == nil) != (want != "") || err == nil && p.String() != want {
			t.Errorf("percent %q is %v, %v; want %q", text, p, err, want)
		}
	}
	for text, want := range map[string]string{
		"1MiB": "1MiB", "512KiB": "512KiB", "2000B": "2000B", "1024B": "1KiB", "0B": "0B", "5": "", "-1B": "", "1TiB": "",
	} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(text)); (err == nil) != (want != "") || err == nil && b.String() != want {
			t.Errorf("size %q is %v, %v; want %q", text, b, err, want)
		}
	}
}
