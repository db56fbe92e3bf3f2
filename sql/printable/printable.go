// Package printable escapes text from files, clients and servers for terminals, logs and mail: control characters do not reach a
// terminal, and invisible characters become visible. It also removes database URLs from messages about the command line.
package printable

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Writer escapes unprintable characters and writes to another writer. Unprintable are control characters except line feed and tab,
// spaces except U+0020, marks that change the direction of text, and bytes that are not UTF-8. The escapes are those of JSON, so
// JSON remains valid. A character must not be split between two calls of Write.
type Writer struct{ w io.Writer }

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w} }

// Unwrap returns the writer that Writer writes to.
func (w *Writer) Unwrap() io.Writer { return w.w }

// Write escapes and writes p. It returns len(p) unless there is an error.
func (w *Writer) Write(p []byte) (int, error) {
	if _, err := w.w.Write(appendEscaped(nil, string(p), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Text escapes all unprintable characters of s, including line feeds and tabs.
func Text(s string) string { return string(appendEscaped(nil, s, "")) }

func appendEscaped(dst []byte, s, keep string) []byte {
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = fmt.Appendf(dst, `\x%02x`, s[at])
		case unicode.IsPrint(r) || strings.ContainsRune(keep, r):
			dst = append(dst, s[at:at+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		at += size
	}
	return dst
}

// invisible names the characters that files contain by mistake and that editors do not show.
var invisible = map[rune]string{
	'\t': "a tab", '\r': "a carriage return", '\n': "a line feed", 0: "a NUL byte", 0x1b: "an escape character", 0x7f: "a delete character",
	0xa0: "a no-break space", 0xad: "a soft hyphen", 0x2007: "a figure space", 0x200b: "a zero-width space", 0x200c: "a zero-width non-joiner",
	0x200d: "a zero-width joiner", 0x200e: "a left-to-right mark", 0x200f: "a right-to-left mark", 0x2028: "a line separator",
	0x2029: "a paragraph separator", 0x202f: "a narrow no-break space", 0x2060: "a word joiner", 0x3000: "an ideographic space",
	0xfeff: "a byte order mark",
}

// longest is the maximal length of a name in a message, in bytes.
const longest = 200

// Name formats a name, such as that of a column or a file, for a message. A name with only visible characters is unchanged. Otherwise
// it is quoted and escaped, and a list of its invisible characters follows.
func Name(s string) string {
	var found []string
	note := func(what string) {
		if !slices.Contains(found, what) {
			found = append(found, what)
		}
	}
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			note("bytes that are not UTF-8")
		case invisible[r] != "":
			note(invisible[r])
		case !unicode.IsPrint(r):
			note(fmt.Sprintf("the character U+%04X", r))
		}
		at += size
	}
	if s != strings.TrimSpace(s) && len(found) == 0 {
		note("a space at its beginning or end")
	}
	shown := s
	if len(shown) > longest {
		shown = shown[:longest] + "..."
	}
	switch {
	case len(found) > 0:
		return strconv.Quote(shown) + " (with " + strings.Join(found, " and ") + ")"
	case s == "":
		return `""`
	}
	return shown
}

// Names formats each name with Name, separated by commas.
func Names(names []string) string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = Name(name)
	}
	return strings.Join(shown, ", ")
}

// fromVariable matches the environment variable in an error of the command-line parser.
var fromVariable = regexp.MustCompile(`(?s)\(from envar \w+=(".*")\)`)

// CommandLine returns the message of an error in the command line args, or in the environment variable of a flag, without parts of a
// password. Such an error can contain a URL that the shell has split at a space, that is in the wrong place, or that is malformed.
func CommandLine(err error, args []string) string {
	message := err.Error()
	if found := fromVariable.FindStringSubmatch(message); found != nil {
		if value, err := strconv.Unquote(found[1]); err == nil {
			args = append(slices.Clone(args), value)
		}
	}
	addresses := slices.ContainsFunc(args, func(arg string) bool {
		return strings.Contains(arg, "://") || strings.Contains(arg, "@") || strings.Contains(arg, "password")
	})
	if !addresses {
		return message
	}
	const hidden = "(not shown: it may belong to a database URL)"
	if rest, found := strings.CutPrefix(message, "unexpected argument "); found && rest != "" {
		return "unexpected argument " + hidden + "; quote the URL, and write a space in its password as %20"
	}
	for _, arg := range args {
		for _, part := range []string{arg, arg[strings.IndexByte(arg, '=')+1:]} {
			if strings.Contains(part, "://") || strings.Contains(part, "@") || strings.Contains(part, "password") {
				message = strings.ReplaceAll(message, strconv.Quote(part), hidden)
				message = strings.ReplaceAll(message, part, hidden)
			}
		}
	}
	return message
}
