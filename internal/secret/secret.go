// Package secret holds what must not be shown: keys, passphrases, passwords and
// tokens, in one type for the whole project.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every secret prints as.
const redacted = "[redacted]"

// Secret holds bytes that must not reach a log, a page or a response. It
// prints as "[redacted]" through fmt, encoding/json, YAML and log/slog. The
// bytes stand behind a function, the one thing that printing by reflection
// cannot look into: fmt does not call the methods of unexported fields, and
// follows pointers. Copies of a Secret share the bytes.
type Secret struct{ at func() *[]byte }

// New copies v.
func New[T ~string | ~[]byte](v T) Secret {
	c := append([]byte(nil), v...)
	return Secret{at: func() *[]byte { return &c }}
}

// Reveal returns a copy of the bytes. Its callers are few and easy to find.
func (s Secret) Reveal() []byte { return append([]byte(nil), s.bytes()...) }

// IsZero reports whether s holds nothing: never set, or destroyed.
func (s Secret) IsZero() bool { return s.Len() == 0 }

// Len returns the number of bytes.
func (s Secret) Len() int { return len(s.bytes()) }

// Equal compares in a time that does not depend on the contents.
func (s Secret) Equal(o Secret) bool { return subtle.ConstantTimeCompare(s.bytes(), o.bytes()) == 1 }

// Destroy overwrites the bytes, in every copy of s. The runtime may have moved
// or cached them before; it is a courtesy, not a guarantee.
func (s Secret) Destroy() {
	if s.at != nil {
		b := s.at()
		clear(*b)
		*b = nil
	}
}

func (s Secret) bytes() []byte {
	if s.at == nil {
		return nil
	}
	return *s.at()
}

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]": a Secret does not travel by accident.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
