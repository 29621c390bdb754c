package accounts

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The length of passwords: characters at least, bytes at most. The upper bound only
// keeps requests small [NIST SP 800-63B 5.1.1.2 wants at least 64 characters].
const (
	MinPassword = 12
	MaxPassword = 1024
)

// Weakness says what is wrong with a password, for pages to translate.
type Weakness string

// The weaknesses.
const (
	TooShort  Weakness = "too_short"
	TooLong   Weakness = "too_long"
	NotText   Weakness = "not_text"
	LikeName  Weakness = "like_name"
	Common    Weakness = "common"
	Monotone  Weakness = "monotone"
	Unchanged Weakness = "unchanged"
)

// WeakError says that a password cannot be taken. It does not repeat it.
type WeakError struct{ Why Weakness }

// Error says what is wanted.
func (e *WeakError) Error() string {
	switch e.Why {
	case TooShort:
		return "password: want at least 12 characters; several words are easy to remember"
	case TooLong:
		return "password: want at most 1024 bytes"
	case NotText:
		return "password: want text in UTF-8 without control characters"
	case LikeName:
		return "password: it is hardly more than the name; choose another"
	case Common:
		return "password: it is among the first that are tried; choose another"
	case Monotone:
		return "password: it repeats itself or follows the keyboard; choose another"
	}
	return "password: it is the one that you have; choose another"
}

//go:embed common.txt
var commonText string

// CheckPassword reports with a *WeakError what is wrong with a new password for
// somebody with these names. There is no rule about kinds of characters [NIST SP
// 800-63B 5.1.1.2].
func CheckPassword(password string, names ...string) error {
	folded := fold(password)
	switch {
	case len(password) > MaxPassword:
		return &WeakError{TooLong}
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return &WeakError{NotText}
	case utf8.RuneCountInString(password) < MinPassword:
		return &WeakError{TooShort}
	case slices.ContainsFunc(names, func(n string) bool { return likeName(folded, fold(n)) }):
		return &WeakError{LikeName}
	case isCommon(folded):
		return &WeakError{Common}
	case isMonotone(folded):
		return &WeakError{Monotone}
	}
	return nil
}

// likeName reports whether less than half of what the rules ask for is left without
// the name.
func likeName(password, name string) bool {
	return name != "" && strings.Contains(password, name) &&
		utf8.RuneCountInString(strings.ReplaceAll(password, name, "")) < MinPassword/2
}

// isCommon looks the password up as it is and without the digits and marks at its
// ends, which people add to a common one.
func isCommon(password string) bool {
	stem := strings.TrimFunc(password, func(r rune) bool { return !unicode.IsLetter(r) })
	return inCommon(password) || inCommon(stem)
}

func inCommon(word string) bool {
	return word != "" && !strings.ContainsAny(word, "\n#") && strings.Contains(commonText, "\n"+word+"\n")
}

// runs are sequences of keys; a password that is made of long pieces of them is
// monotone.
const runs = "01234567890 09876543210 abcdefghijklmnopqrstuvwxyz zyxwvutsrqponmlkjihgfedcba qwertyuiop[] asdfghjkl;' zxcvbnm,./ poiuytrewq lkjhgfdsa mnbvcxz 1qaz2wsx3edc4rfv5tgb6yhn7ujm"

// isMonotone reports whether a password is fewer than six choices: characters, and a
// repetition or a run of keys as one choice.
func isMonotone(password string) bool {
	text := []rune(password)
	choices := 0
	for at := 0; at < len(text); choices++ {
		at += max(1, repeated(text, at), run(text[at:]))
	}
	return choices < MinPassword/2
}

// repeated returns how many characters from at on are a copy of those right before.
func repeated(text []rune, at int) (most int) {
	for back := 1; back <= at; back++ {
		n := 0
		for at+n < len(text) && text[at+n] == text[at+n-back] {
			n++
		}
		if n >= min(back, 3) || back == 1 {
			most = max(most, n)
		}
	}
	return most
}

// run returns how many characters text begins with follow the keyboard, the alphabet
// or the digits, if they are at least three.
func run(text []rune) int {
	n := 0
	for n < min(len(text), 26) && text[n] != ' ' && strings.Contains(runs, string(text[:n+1])) {
		n++
	}
	if n < 3 {
		return 0
	}
	return n
}
