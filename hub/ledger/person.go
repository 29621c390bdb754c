package ledger

import (
	"fmt"
	"strings"
	"unicode"
)

// CheckPerson refuses what is not a person's name on paper and in the books: no
// text, more than 200 bytes, unprintable characters, blanks at its ends or two in a
// row. What looks the same is then written the same.
func CheckPerson(name string) error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, unprintable) || strings.Join(strings.Fields(name), " ") != name {
		return fmt.Errorf("person %q: want a name on one line, up to 200 bytes, with single blanks between its words only", name)
	}
	return nil
}

// SamePerson reports whether two names are one person's: capitals and the wide
// letters of Chinese keyboards make no second person.
func SamePerson(a, b string) bool {
	narrow := func(r rune) rune {
		if r >= '！' && r <= '～' { // U+FF01 to U+FF5E stand for U+0021 to U+007E
			return r - '！' + '!'
		}
		return r
	}
	return strings.EqualFold(strings.Map(narrow, a), strings.Map(narrow, b))
}
