package codes

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CodeError says what is wrong with an identification code, and where.
type CodeError struct {
	What string // what it should have been: "cell code"
	Code string
	// From and To are the first and the last wrong character, counted from 1; both 0
	// where it is the whole.
	From, To int
	Part     string // the part that they are in: "community"
	Problem  string // what is wrong, and what to do about it
}

// Error names the code, the wrong characters, the part and the remedy.
func (e *CodeError) Error() string {
	var at string
	switch {
	case e.From != 0 && e.From == e.To:
		at = fmt.Sprintf("character %d (%s): ", e.From, e.Part)
	case e.From != 0:
		at = fmt.Sprintf("characters %d to %d (%s): ", e.From, e.To, e.Part)
	}
	return fmt.Sprintf("%s %s: %s%s", e.What, shown(e.Code), at, e.Problem)
}

// maxShown bounds what an error repeats of its input, in bytes.
const maxShown = 48

func shown(code string) string {
	if len(code) > maxShown {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(code[:maxShown], ""))
	}
	return fmt.Sprintf("%q", code)
}

// field is one part of a code of fixed width.
type field struct {
	name    string
	width   int
	letters bool // A to Z may stand beside the digits
}

func width(fields []field) (n int) {
	for _, f := range fields {
		n += f.width
	}
	return n
}

// layout writes fields as "6 county + 3 street".
func layout(fields []field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = fmt.Sprintf("%d %s", f.width, f.name)
	}
	return strings.Join(parts, " + ")
}

// cut splits code, which has the width of fields, and names the first character
// that does not belong.
func cut(what, code string, fields []field) ([]string, error) {
	parts := make([]string, len(fields))
	at := 0
	for i, f := range fields {
		parts[i] = code[at : at+f.width]
		for j := range f.width {
			if c := code[at+j]; isDigit(c) || f.letters && 'A' <= c && c <= 'Z' {
				continue
			}
			return nil, &CodeError{What: what, Code: code, From: at + j + 1, To: at + j + 1, Part: f.name, Problem: badCharacter(code[at+j:], f)}
		}
		at += f.width
	}
	return parts, nil
}

func badCharacter(rest string, f field) string {
	r, _ := utf8.DecodeRuneInString(rest)
	want := "want 0 to 9"
	if f.letters {
		want = "want 0 to 9 or A to Z"
	}
	switch {
	case fullWidth(r):
		return fmt.Sprintf("%q is a full-width digit; write it as %c", r, r-'０'+'0')
	case f.letters && 'a' <= r && r <= 'z':
		return fmt.Sprintf("%q is a small letter; write %c", r, r-'a'+'A')
	case !f.letters && strings.ContainsRune("OoIl", r):
		return fmt.Sprintf("the letter %q; is it the digit %c?", r, map[rune]rune{'O': '0', 'o': '0', 'I': '1', 'l': '1'}[r])
	case r == ' ' || r == '\t':
		return "a blank; " + want
	}
	return fmt.Sprintf("%q; %s", r, want)
}

// notLong is the error of a code whose length belongs to nothing.
func notLong(what, code, want string) error {
	problem := fmt.Sprintf("%d characters; want %s", utf8.RuneCountInString(code), want)
	switch {
	case code == "":
		problem = "empty; want " + want
	case strings.TrimSpace(code) != code:
		problem = "blanks around it; remove them"
	case strings.ContainsFunc(code, fullWidth):
		problem = "full-width digits; write them as 0 to 9"
	case strings.ContainsAny(code, "eE.+"):
		problem += "; it looks like a number of a spreadsheet: format the column as text and export again"
	}
	return &CodeError{What: what, Code: code, Problem: problem}
}

// fullWidth reports a digit as Chinese input methods write it.
func fullWidth(r rune) bool { return '０' <= r && r <= '９' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func digits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func zeros(s string) bool { return strings.Trim(s, "0") == "" }
