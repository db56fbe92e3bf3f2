package source

import (
	"bytes"
	"unicode/utf8"
)

// forms are the first bytes of files that are not CSV, with a remedy for each.
var forms = []struct{ begins, message string }{
	{"\x1f\x8b", "the file is compressed with gzip: give it a name that ends in .gz"},
	{"\x28\xb5\x2f\xfd", "the file is compressed with zstd: give it a name that ends in .zst"},
	{"PK\x03\x04", "the file is a ZIP archive, or a spreadsheet: export it as CSV, or unpack it"},
	{"BZh", "the file is compressed with bzip2: unpack it, or use gzip or zstd"},
	{"\xfd7zXZ\x00", "the file is compressed with xz: unpack it, or use gzip or zstd"},
	{"\xff\xfe\x00\x00", "the file is UTF-32: convert it with iconv -f UTF-32 -t UTF-8"},
	{"\x00\x00\xfe\xff", "the file is UTF-32: convert it with iconv -f UTF-32 -t UTF-8"},
}

// ArchiveSize is the number of bytes that Archive needs to see, unless the file is shorter.
const ArchiveSize = 6

// Archive returns an error message with a remedy if a file with this beginning is not CSV in any encoding. Otherwise it returns "".
func Archive(head []byte) string {
	for _, form := range forms {
		if bytes.HasPrefix(head, []byte(form.begins)) {
			return form.message
		}
	}
	return ""
}

// Form returns an error message with a remedy if header is not the first line of a CSV file in UTF-8. Otherwise it returns "".
func Form(header []byte) string {
	if message := Archive(header); message != "" {
		return message
	}
	switch nul := bytes.IndexByte(header, 0); {
	case nul == 0:
		return "the file is UTF-16 without a byte order mark: declare encoding: utf-16be in the dialect of the shape file"
	case nul == 1:
		return "the file is UTF-16 without a byte order mark: declare encoding: utf-16le in the dialect of the shape file"
	}
	// Names do not contain a carriage return, except perhaps within quotes.
	at := bytes.IndexByte(header, '\r')
	if at >= 0 && at < len(header)-1 && bytes.IndexByte([]byte("\n,;|\t"), header[at+1]) < 0 && bytes.Count(header[:at], []byte{'"'})%2 == 0 {
		return "its lines end with CR alone, as on old Macs; convert it, for example with tr '\\r' '\\n'"
	}
	return ""
}

// EncodingHint returns an addition to a message about a header that has not the expected columns, if its encoding may be the cause.
// Otherwise it returns "".
func EncodingHint(header []byte, encoding string) string {
	switch {
	case encoding != "":
		return ". The file is read as " + encoding
	case !utf8.Valid(header):
		return ". The header is " + string(NotUTF8) + NotUTF8.Hint()
	}
	return ""
}

// Hint returns the remedy for the rows that are rejected for a reason, in parentheses, or "" if the rows themselves have to be corrected.
func (r Reason) Hint() string {
	switch r {
	case NotUTF8:
		return " (declare the file's encoding in the dialect of the shape file, such as encoding: latin1 or windows-1252)"
	case BrokenLine:
		return " (if its quoted fields may contain line ends, declare records: quoted in the dialect of the shape file)"
	}
	return ""
}
