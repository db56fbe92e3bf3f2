package server

import "bytes"

// canonical returns the canonical form of a request's path without the prefix of the original service, /api or /api/fec2/ANYTHING, and
// whether there was one. The gateway normalizes paths in the same way: percent-encoding is decoded, repeated slashes are merged, "." and
// ".." are resolved, and a trailing slash is removed.
//
// The result is a slice of path if that is canonical, as in nearly every request, and otherwise of a copy. A path that cannot be decoded,
// contains a NUL, or leads above the root is errMalformed.
func canonical(path []byte) (address []byte, prefixed bool, err error) {
	if !isCanonical(path) {
		if path, err = respell(path); err != nil {
			return nil, false, err
		}
	}
	address, prefixed = withoutPrefix(path)
	return address, prefixed, nil
}

// isCanonical may return false for a canonical path; respell then returns an equal one.
func isCanonical(path []byte) bool {
	return bytes.IndexByte(path, '%') < 0 && !bytes.Contains(path, []byte("//")) && !bytes.Contains(path, []byte("/.")) &&
		(len(path) == 1 || !bytes.HasSuffix(path, slash))
}

func respell(path []byte) ([]byte, error) {
	decoded := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			if i+2 >= len(path) {
				return nil, errMalformed
			}
			high, low := hexDigit(path[i+1]), hexDigit(path[i+2])
			if c = high<<4 | low; high > 15 || low > 15 || c == 0 {
				return nil, errMalformed
			}
			i += 2
		}
		decoded = append(decoded, c)
	}
	respelt := make([]byte, 0, len(decoded))
	for segment := range bytes.SplitSeq(decoded, slash) {
		switch string(segment) {
		case "", ".":
		case "..":
			if len(respelt) == 0 {
				return nil, errMalformed
			}
			respelt = respelt[:bytes.LastIndexByte(respelt, '/')]
		default:
			respelt = append(append(respelt, '/'), segment...)
		}
	}
	if len(respelt) == 0 {
		return slash, nil
	}
	return respelt, nil
}

// hexDigit returns the value of a hexadecimal digit, or 255 for any other byte.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// withoutPrefix removes one prefix from a canonical path. A path that consists of a prefix only is returned unchanged.
func withoutPrefix(path []byte) (address []byte, prefixed bool) {
	rest, found := bytes.CutPrefix(path, []byte("/api/"))
	if !found {
		return path, false
	}
	if cohort, nested := bytes.CutPrefix(rest, []byte("fec2/")); nested {
		if end := bytes.IndexByte(cohort, '/'); end >= 0 {
			return cohort[end:], true
		}
	}
	return path[len("/api"):], true
}
