// Package charset reads texts of other encodings as UTF-8, and writes them back.
//
// A sequence that has no meaning in its encoding is not replaced: it becomes a sequence that is not valid UTF-8, so that a reader can
// reject the line, and an Encoder restores it.
package charset

import "bytes"

// The encodings. UTF8 is the default.
const (
	UTF8        = "utf-8"
	Latin1      = "latin1"
	Windows1252 = "windows-1252"
	UTF16LE     = "utf-16le"
	UTF16BE     = "utf-16be"
)

// Names returns the names of all encodings.
func Names() []string { return []string{UTF8, Latin1, Windows1252, UTF16LE, UTF16BE} }

// HeadSize is the number of bytes that Detect needs to see, unless the text is shorter.
const HeadSize = 4

// Detect returns the encoding that a text's byte order mark shows, or "".
func Detect(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return UTF8
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")): // UTF-32
		return ""
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return UTF16LE
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return UTF16BE
	}
	return ""
}

// windows has the characters of the bytes 0x80 to 0x9f in windows-1252; 0 if there is none. ISO 8859-1 has no characters there: a file
// that has these bytes is hardly ever in latin1.
var windows = [32]rune{
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
}

// An odd byte at the end of a text in UTF-16 becomes this byte.
const oddByte = 0xff

// Surrogates are units of UTF-16 that form a character in pairs.
const (
	firstHigh = 0xd800
	firstLow  = 0xdc00
	lastLow   = 0xdfff
	surSelf   = 0x10000 // the first character that needs a pair
)
