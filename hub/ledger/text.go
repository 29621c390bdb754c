package ledger

import (
	"strings"
	"unicode"
)

// MaxText bounds texts of files in bytes: orders, channels, terminals, operators and
// reasons (docs/settlement-files.md).
const MaxText = 64

// Printable reports whether s is a text that files can carry: up to MaxText bytes,
// all of them printed, without blanks around. An empty text is one.
func Printable(s string) bool {
	return len(s) <= MaxText && strings.TrimSpace(s) == s && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
