package seal

import "fmt"

// Code names a refusal, for counters, dead letters and branches. Codes never
// change their meaning.
type Code string

// The codes of a receiver.
const (
	// FrameBad: too short, not CBOR, not the one canonical form, a field
	// outside its bounds, or a message that does not travel in this direction.
	FrameBad Code = "frame_bad"
	// SuiteUnknown: well-formed, sealed with another algorithm. There is no
	// fallback.
	SuiteUnknown Code = "suite_unknown"
	// DeviceUnknown: no key was ever issued for the collector.
	DeviceUnknown Code = "device_unknown"
	// GenerationUnknown: the key generation is not known here (yet).
	GenerationUnknown Code = "generation_unknown"
	// GenerationRetired: the key generation was taken out of use.
	GenerationRetired Code = "generation_retired"
	// TagWrong: the message was not sealed with this key, or was changed.
	TagWrong Code = "tag_wrong"
	// KeyUnavailable: the source of keys failed. The message may be good: do
	// not acknowledge it, try again.
	KeyUnavailable Code = "key_unavailable"
	// ProviderMismatch: the two implementations disagree about a message. The
	// processor, the memory or a library is faulty; nothing this process
	// computes is to be trusted.
	ProviderMismatch Code = "provider_mismatch"
)

// The codes of a sender, of key files and of start-up.
const (
	// SequenceExhausted: all 2^32 numbers of the session are used; make a new
	// Sealer with a new Context.
	SequenceExhausted Code = "sequence_exhausted"
	// PayloadTooLarge: the plaintext is longer than MaxPlaintext.
	PayloadTooLarge Code = "payload_too_large"
	// ConfigBad: an argument of a constructor or a call is wrong.
	ConfigBad Code = "config_bad"
	// SelfTestFailed: an implementation missed a known answer.
	SelfTestFailed Code = "self_test_failed"
	// PassphraseWrong: the key file is whole, the passphrase is not its own.
	PassphraseWrong Code = "passphrase_wrong"
	// FileBad: a key file or bundle is damaged or of another version.
	FileBad Code = "file_bad"
	// FileMode: a key file or bundle may be read by other users.
	FileMode Code = "file_mode"
)

// Error is every error of this package that a caller may want to branch on.
// It never holds key material or plaintext.
type Error struct {
	Code    Code
	Problem string // what is wrong and, where it helps, what to do
	Err     error  // the cause, or nil
}

// Error returns "problem (code)", followed by the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s (%s)", e.Problem, e.Code)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Problem: fmt.Sprintf(format, args...)}
}
