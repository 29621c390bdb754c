// Package spreadsheet keeps texts of strangers from being run as formulas by the
// program that opens an exported file [OWASP, CSV Injection].
package spreadsheet

import (
	"strconv"
	"strings"
	"unicode"
)

// Text returns s as a cell may hold it: an apostrophe goes before what a spreadsheet
// would take for a formula. Numbers stay as they are.
func Text(s string) string {
	begin := strings.TrimLeftFunc(s, unicode.IsSpace)
	if begin == "" || !strings.ContainsRune("=+-@＝＋－＠", []rune(begin)[0]) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}
