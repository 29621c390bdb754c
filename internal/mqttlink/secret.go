package mqttlink

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that no print, log or encoder shows: all of them write
// "[redacted]". Reveal returns it.
type Secret string

const redacted = "[redacted]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format writes "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for JSON and YAML too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
