package census

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// value is one field as a file has it.
type value struct {
	text   string
	number bool   // the file has a number there, not a text
	bad    string // why the decoder could not read it
}

// checkText refuses what cannot be the text of a field, and takes the spaces around
// it off.
func checkText(v value, limit int) (string, *fault) {
	s := v.text
	switch {
	case v.bad != "":
		return "", faultf("export the file again with texts and numbers only", "%s", v.bad)
	case !utf8.ValidString(s):
		return "", faultf("name the character set of the file, gb18030 for most Chinese ones, or look whether the field was cut within a character", "not UTF-8")
	case strings.ContainsRune(s, utf8.RuneError):
		return "", faultf("name the right character set, or export the file again from its source", "characters have been lost (U+FFFD)")
	}
	s = strings.TrimSpace(s)
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return "", faultf("take it out", "the control character %U", r)
		}
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return "", faultf("shorten it", "%d characters, %d at the most", n, limit)
	}
	return s, nil
}

// checkCode refuses what a spreadsheet or a JSON writer has made of a code.
func checkCode(v value, s string) *fault {
	const remedy = "make the column text in the source, and export it again from there: the digits in this file may be wrong"
	if looksScientific(s) {
		return faultf(remedy, "a code in scientific notation, as a spreadsheet shows long numbers")
	}
	if !v.number {
		return nil
	}
	if strings.Contains(s, ".") {
		return faultf(remedy, "a code as a number with decimals")
	}
	if n, err := strconv.ParseUint(s, 10, 64); err != nil || n > 1<<53 {
		return faultf(remedy, "a code as a number above 2^53 (9007199254740992), of which programs keep only the first 15 or 16 digits")
	}
	return nil
}

// looksScientific tells 3.2051E+15, but not a code such as 1E5.
func looksScientific(s string) bool {
	i := strings.IndexAny(s, "eE")
	if i <= 0 || i+1 >= len(s) || strings.Trim(s[:i], "0123456789.,") != "" {
		return false
	}
	exponent := s[i+1:]
	signed := exponent[0] == '+' || exponent[0] == '-'
	digits := strings.TrimLeft(exponent, "+-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (signed || strings.ContainsAny(s[:i], ".,"))
}

// parseNumber reads plain decimals: what looks different says what it is.
func parseNumber(s string) (float64, *fault) {
	switch {
	case looksScientific(s):
		return 0, faultf("format the column with all its decimals and export again", "scientific notation, which drops digits")
	case strings.ContainsAny(s, "°′″'\"度分秒"):
		return 0, faultf("give decimal degrees, such as 120.5853000", "degrees, minutes and seconds")
	case strings.Contains(s, ",") && strings.Trim(s, "+-0123456789.,") == "":
		return 0, faultf("write a point for decimals, and nothing between thousands", "a comma in a number")
	case strings.Trim(s, "+-0123456789.") != "":
		return 0, faultf("write digits with a point for decimals", "not a number")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, faultf("write digits with a point for decimals", "not a number")
	}
	return v, nil
}

// parseTime reads 20261122, 2026-11-22, 2026/11/22 (midnight in China) and RFC 3339.
func parseTime(s string) (time.Time, *fault) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"20060102", "2006-01-02", "2006/01/02", "2006/1/2"} {
		if t, err := time.ParseInLocation(layout, s, china()); err == nil {
			return checkYear(t)
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return checkYear(t)
	}
	return time.Time{}, faultf("write YYYYMMDD, such as 20261122", "not a date")
}

func checkYear(t time.Time) (time.Time, *fault) {
	if y := t.In(china()).Year(); y < 1900 || y > 2200 {
		return time.Time{}, faultf("leave the field empty where the date is not known", "the year %d", y)
	}
	return t.UTC(), nil
}

// formatTime writes midnights in China as YYYYMMDD, everything else in full.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	local := t.In(china())
	if h, m, s := local.Clock(); h+m+s == 0 && local.Nanosecond() == 0 {
		return local.Format("20060102")
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Lists are written with semicolons.
func parseList[T any](s string, one func(string) (T, error)) ([]T, *fault) {
	if s == "" {
		return nil, nil
	}
	var list []T
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '；' }) {
		v, err := one(strings.TrimSpace(word))
		if err != nil {
			return nil, faultf("separate several with semicolons", "%v", err)
		}
		list = append(list, v)
	}
	return list, nil
}

func formatList[T any](list []T, one func(T) string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = one(v)
	}
	return strings.Join(words, ";")
}

func parseBool(s string) (bool, *fault) {
	switch strings.ToLower(s) {
	case "", "false", "0", "no", "n", "f", "否":
		return false, nil
	case "true", "1", "yes", "y", "t", "是":
		return true, nil
	}
	return false, faultf("write true or false", "neither true nor false")
}

// formatDegrees and formatMetres write numbers that come back the same: degrees to
// the last bit, metres to a micrometre.
func formatDegrees(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func formatMetres(v float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 6, 64), "0"), ".")
}

// decimals counts those of the shortest number that says v.
func decimals(v float64) int {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if i := strings.IndexByte(s, '.'); i >= 0 {
		return len(s) - i - 1
	}
	return 0
}

func quoted(list []string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(words, ", ")
}
