package source

import "bytes"

// forms are the first bytes of files that are not CSV in UTF-8, with a remedy for each.
var forms = []struct{ begins, message string }{
	{"\x1f\x8b", "the file is compressed with gzip: give it a name that ends in .gz"},
	{"\x28\xb5\x2f\xfd", "the file is compressed with zstd: give it a name that ends in .zst"},
	{"PK\x03\x04", "the file is a ZIP archive, or a spreadsheet: export it as CSV, or unpack it"},
	{"BZh", "the file is compressed with bzip2: unpack it, or use gzip or zstd"},
	{"\xfd7zXZ\x00", "the file is compressed with xz: unpack it, or use gzip or zstd"},
	{"\xff\xfe\x00\x00", "the file is UTF-32: convert it with iconv -f UTF-32 -t UTF-8"},
	{"\x00\x00\xfe\xff", "the file is UTF-32: convert it with iconv -f UTF-32 -t UTF-8"},
	{"\xff\xfe", "the file is UTF-16: convert it with iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "the file is UTF-16: convert it with iconv -f UTF-16 -t UTF-8"},
}

// Form returns an error message with a remedy if header is not the first line of a CSV file in UTF-8. Otherwise it returns "".
func Form(header []byte) string {
	for _, form := range forms {
		if bytes.HasPrefix(header, []byte(form.begins)) {
			return form.message
		}
	}
	switch nul := bytes.IndexByte(header, 0); {
	case nul == 0:
		return "the file is UTF-16 without a byte order mark: convert it with iconv -f UTF-16BE -t UTF-8"
	case nul == 1:
		return "the file is UTF-16 without a byte order mark: convert it with iconv -f UTF-16LE -t UTF-8"
	}
	return ""
}
