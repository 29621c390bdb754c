package seal

import (
	"fmt"
	"io"
	"strings"

	"citygrid/internal/secret"
)

// Words for the telephone: 16 bits are a word of five letters, consonants and
// vowels in turn [D. S. Wilkerson, A Proposal for Proquints, 2009]. Every sequence
// of bytes has one spelling, and nobody needs a list.
const (
	consonants = "bdfghjklmnprstvz"
	vowels     = "aiou"
)

// Sizes of what people read to each other, in bytes. A fingerprint of 80 bits
// cannot be met by trying keys; a code of 96 bits cannot be guessed, which it must
// not be, because nothing counts the tries on a file.
const (
	fingerprintSize = 10
	codeSize        = 12
)

// wordsOf spells an even number of bytes as words, with "-" between them.
func wordsOf(b []byte) string {
	var words strings.Builder
	for i := 0; i+1 < len(b); i += 2 {
		if i > 0 {
			words.WriteByte('-')
		}
		n := uint(b[i])<<8 | uint(b[i+1])
		words.WriteByte(consonants[n>>12])
		words.WriteByte(vowels[n>>10&3])
		words.WriteByte(consonants[n>>6&15])
		words.WriteByte(vowels[n>>4&3])
		words.WriteByte(consonants[n&15])
	}
	return words.String()
}

// NewCode draws a one-time code of 96 bits from rand, which in a program is
// crypto/rand.Reader: six words of five letters.
func NewCode(rand io.Reader) (secret.Secret, error) {
	b := make([]byte, codeSize)
	defer clear(b)
	if _, err := io.ReadFull(rand, b); err != nil {
		return secret.Secret{}, fmt.Errorf("draw a one-time code: %w", err)
	}
	return secret.New(wordsOf(b)), nil
}

// ParseCode reads a one-time code as somebody typed it: letters of either case, the
// words apart by "-", spaces or nothing. The error tells a mistyped word before a
// second is spent on trying the code; it does not repeat what was typed.
func ParseCode(typed secret.Secret) (secret.Secret, error) {
	var letters []byte
	for _, c := range strings.ToLower(string(typed.Reveal())) {
		switch {
		case c == '-' || c == ' ':
		case c < 'a' || c > 'z':
			return secret.Secret{}, errorf(ConfigBad, "the code has letters and - only: %d words of 5 letters", codeSize/2)
		default:
			letters = append(letters, byte(c))
		}
	}
	defer clear(letters)
	if len(letters) != codeSize/2*5 {
		return secret.Secret{}, errorf(ConfigBad, "the code has %d letters, want %d words of 5", len(letters), codeSize/2)
	}
	code := make([]byte, 0, len(letters)+codeSize/2)
	defer clear(code)
	for i, c := range letters {
		alphabet := consonants
		if i%5%2 == 1 {
			alphabet = vowels
		}
		if strings.IndexByte(alphabet, c) < 0 {
			return secret.Secret{}, errorf(ConfigBad, "word %d of the code has a letter that no word has in this place: listen again", i/5+1)
		}
		if i > 0 && i%5 == 0 {
			code = append(code, '-')
		}
		code = append(code, c)
	}
	return secret.New(code), nil
}
