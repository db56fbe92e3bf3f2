package inspect

import (
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
)

// TestHeaders distinguishes a header from a first row where all columns have texts.
func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		header, sure bool
	}{
		{"codes of one length", "\"Nord 262\",\"ND2\"\n\"Caravelle\",\"CRV\"\n\"Corvette\",\"NDC\"\n\"Airbus A310\",\"310\"\n\"ATR 42\",\"AT4\"\n", false, true},
		{"locales", "de_DE,Deutsch\nen_US,English\nes_ES,español\nfi_FI,suomi\nfr_FR,français\n", false, true},
		{"a value that comes again", "Paris,France\nLyon,France\nBonn,Germany\n", false, true},
		{"addresses", "ann@a.org,Ann\nbob@b.org,Bob\ncid@c.org,Cid\ndan@d.org,Dan\neve@e.org,Eve\n", false, true},
		{"words of headers", "city,country\nParis,France\nBonn,Germany\n", true, true},
		{"an identifier", "firstWord,second\nParis,France\nBonn,Germany\n", true, true},
		{"a code", "team_code,x\nABC,y\nDEF,z\n", true, true},
		{"small letters before names", "ville,pays\nParis,France\nBonn,Germany\nRom,Italien\nOslo,Norwegen\n", true, true},
		{"words of headers that are as long as the values", "lang,xy\nabcd,y\nbcde,z\ncdef,uvw\ndefg,v\n", true, false},
		{"no evidence", "Ville,Pays\nParis,France\nBonn,Germany\n", true, false},
		{"a number", "id,7\na,b\n", false, true},
		{"numbers below", "x,y\na,1\nb,2\n", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, map[string]string{"a.csv": c.text})
			text, err := guess(t, directory)
			if err != nil {
				t.Fatal(err)
			}
			if got := !strings.Contains(text, "header: false   #"); got != c.header {
				t.Errorf("header %t, want %t:\n%s", got, c.header, text)
			}
			if got := !strings.Contains(text, "# perhaps the first row"); got != c.sure {
				t.Errorf("sure %t, want %t:\n%s", got, c.sure, text)
			}
			rejects(t, directory, text)
		})
	}
}
