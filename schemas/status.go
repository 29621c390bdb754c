package schemas

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SeqRange is the closed interval [From, To] of envelope sequence numbers.
type SeqRange struct{ From, To uint32 }

// Receipt is the hub's word that the envelopes it names are in the store. A
// collector frees its spool on a receipt and on nothing else.
type Receipt struct {
	Collector CollectorID
	// Boot and Random name the collector's session (seal.Context).
	Boot   uint32
	Random [8]byte
	// Stored lists the sequence numbers, ascending, not overlapping and not
	// touching, 1 to MaxSeqRanges ranges.
	Stored []SeqRange
}

// MaxSeqRanges bounds a Receipt.
const MaxSeqRanges = 1024

// Status is a collector's account of itself, published every few seconds and
// not spooled: a newer one replaces it.
type Status struct {
	Collector CollectorID
	Area      AreaCode
	At        time.Time
	StartedAt time.Time
	// Version names the collector's build, 1 to MaxVersion bytes on one line.
	Version string
	// Counters since StartedAt, each at most MaxCount.
	ReadsPlanned, ReadsDone, ReadsFailed, ReadsMissed uint64
	ValuesRead                                        uint64
	// EnvelopesSealed counts envelopes of readings that were sealed and are
	// durable in the spool, EnvelopesPublished those handed to the broker, each
	// time anew when one is sent again, EnvelopesFreed those that the hub's
	// receipts have freed.
	EnvelopesSealed, EnvelopesPublished, EnvelopesFreed uint64
	// Spool depth and quota now, each at most MaxCount.
	SpoolRecords, SpoolBytes, SpoolQuota uint64
	// SpoolFull is true while the collector has stopped reading because its
	// disk or its quota is full.
	SpoolFull bool
	// Failing lists the meters whose last read failed, at most MaxFailing of
	// them and none twice, and FailingTotal counts all.
	FailingTotal uint32
	Failing      []MeterFault
	// Health is an account of the meters that need a look, those with the
	// lowest success rate first, at most MaxHealth of them and none twice.
	Health []MeterHealth
	// KeyGeneration is that of the collector's bundle; 0: a collector of before
	// this field.
	KeyGeneration uint16
	// CertificateEnds is when the first of the certificates of its link to the
	// broker ends, its own or the broker's; zero without TLS, and before the first
	// connection.
	CertificateEnds time.Time
	// Lines are the collector's lines, at most MaxLines of them and no name twice:
	// in the order of its configuration, or, of more, those with the lowest success
	// rate.
	Lines []LineStatus
	// SpoolDropped counts envelopes of readings without a receipt that the spool has
	// dropped since StartedAt, full or aged, because the operator chose that; at most
	// MaxCount. The accounts of the slots name what is lost with them.
	SpoolDropped uint64
}

// MeterHealth is how well one meter was read since midnight UTC.
type MeterHealth struct {
	Meter MeterID
	// Planned counts the slots of the meter's schedule since then, Read those in
	// which it gave its readings: Read <= Planned <= MaxCount. Their ratio is
	// the meter's success rate (抄表成功率).
	Planned, Read uint64
	// Drift is how far the meter's clock is ahead of the collector's, in whole
	// milliseconds, at most MaxDrift either way; DriftKnown is false for a meter without a clock or not yet
	// asked, and Drift is then 0.
	Drift      time.Duration
	DriftKnown bool
	// Error is the meter's last failure, one line for the operator as in
	// MeterFault; empty when there was none.
	Error string
}

// Bounds of a Status.
const (
	// MaxFailing bounds the list Failing.
	MaxFailing = 100
	// MaxHealth bounds the list Health.
	MaxHealth = 100
	// MaxDrift bounds MeterHealth.Drift either way: 36,525 days, a hundred
	// years. A clock that is farther off is told as that far off.
	MaxDrift = 36525 * 24 * time.Hour
	// MaxVersion bounds Version, in bytes.
	MaxVersion = 64
	// MaxFaultText bounds MeterFault.Error, in bytes.
	MaxFaultText = 256
	// MaxCount is the largest counter: 2^53-1, the largest integer that every
	// reader of JSON keeps exactly [RFC 8259 6].
	MaxCount = 1<<53 - 1
)

// MeterFault says since when and why a meter does not answer.
type MeterFault struct {
	Meter MeterID
	Since time.Time
	// Error is one line for the operator: what was asked, what came back; 1 to
	// MaxFaultText bytes. FaultText makes it from any text.
	Error string
	// Cause says the same in one word; empty where none fits.
	Cause FaultCause
	// Exchange is what went over the line in the failure that Error tells; nil: not
	// in this message (see MaxExchanges), or nothing did.
	Exchange *Exchange
}

// Validate reports the first thing that keeps r from being sent or acted on.
func (r Receipt) Validate() error {
	if err := r.Collector.Validate(); err != nil {
		return err
	}
	if n := len(r.Stored); n == 0 || n > MaxSeqRanges {
		return &FieldError{Field: "stored", Problem: fmt.Sprintf("%d ranges, want 1 to %d", n, MaxSeqRanges)}
	}
	for i, s := range r.Stored {
		if s.From > s.To {
			return &FieldError{Field: fmt.Sprintf("stored[%d]", i), Problem: fmt.Sprintf("from %d is above to %d", s.From, s.To)}
		}
		// The sum is taken in 64 bits: To may be the largest uint32.
		if i > 0 && uint64(s.From) <= uint64(r.Stored[i-1].To)+1 {
			return &FieldError{Field: fmt.Sprintf("stored[%d]", i), Problem: fmt.Sprintf("from %d touches or precedes the range before it, which ends at %d", s.From, r.Stored[i-1].To)}
		}
	}
	return nil
}

// Validate reports the first thing that keeps s from being sent or shown. It
// does not compare At with StartedAt: the clock of a collector may be set
// while it runs.
func (s Status) Validate() error {
	if err := s.Collector.Validate(); err != nil {
		return err
	}
	if err := s.Area.Validate(); err != nil {
		return err
	}
	if err := validTime("at", s.At); err != nil {
		return err
	}
	if err := validTime("started_at", s.StartedAt); err != nil {
		return err
	}
	if err := validLine("version", s.Version, MaxVersion); err != nil {
		return err
	}
	for _, c := range s.counters() {
		if *c.value > MaxCount {
			return &FieldError{Field: statusFields[c.key], Problem: fmt.Sprintf("%d, want at most %d", *c.value, uint64(MaxCount))}
		}
	}
	if s.SpoolDropped > MaxCount {
		return &FieldError{Field: statusFields[statusSpoolDropped], Problem: fmt.Sprintf("%d, want at most %d", s.SpoolDropped, uint64(MaxCount))}
	}
	if !s.CertificateEnds.IsZero() {
		if err := validTime("certificate_ends", s.CertificateEnds); err != nil {
			return err
		}
	}
	for _, check := range []func() error{s.validFailing, s.validExchanges, s.validHealth, s.validLines} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s Status) validFailing() error {
	n := len(s.Failing)
	if n > MaxFailing {
		return &FieldError{Field: "failing", Problem: fmt.Sprintf("%d meters, want at most %d", n, MaxFailing)}
	}
	if uint64(s.FailingTotal) < uint64(n) {
		return &FieldError{Field: "failing_total", Problem: fmt.Sprintf("%d, fewer than the %d meters listed", s.FailingTotal, n)}
	}
	seen := make(map[MeterID]bool, n)
	for i, f := range s.Failing {
		if err := f.validate(); err != nil {
			return at(fmt.Sprintf("failing[%d]", i), err)
		}
		if seen[f.Meter] {
			return &FieldError{Field: fmt.Sprintf("failing[%d].meter", i), Problem: fmt.Sprintf("%q is listed twice", f.Meter)}
		}
		seen[f.Meter] = true
	}
	return nil
}

func (s Status) validHealth() error {
	n := len(s.Health)
	if n > MaxHealth {
		return &FieldError{Field: "health", Problem: fmt.Sprintf("%d meters, want at most %d", n, MaxHealth)}
	}
	seen := make(map[MeterID]bool, n)
	for i, h := range s.Health {
		if err := h.validate(); err != nil {
			return at(fmt.Sprintf("health[%d]", i), err)
		}
		if seen[h.Meter] {
			return &FieldError{Field: fmt.Sprintf("health[%d].meter", i), Problem: fmt.Sprintf("%q is listed twice", h.Meter)}
		}
		seen[h.Meter] = true
	}
	return nil
}

func (h MeterHealth) validate() error {
	if err := h.Meter.Validate(); err != nil {
		return err
	}
	if h.Planned > MaxCount {
		return &FieldError{Field: "planned", Problem: fmt.Sprintf("%d, want at most %d", h.Planned, uint64(MaxCount))}
	}
	if h.Read > h.Planned {
		return &FieldError{Field: "read", Problem: fmt.Sprintf("%d, more than the %d planned", h.Read, h.Planned)}
	}
	if err := h.validDrift(); err != nil || h.Error == "" {
		return err
	}
	return validLine("error", h.Error, MaxFaultText)
}

func (h MeterHealth) validDrift() error {
	switch {
	case !h.DriftKnown && h.Drift != 0:
		return &FieldError{Field: "drift_ms", Problem: "given although it is not known"}
	case h.Drift%time.Millisecond != 0:
		return &FieldError{Field: "drift_ms", Problem: "finer than a millisecond"}
	case h.Drift > MaxDrift || h.Drift < -MaxDrift:
		return &FieldError{Field: "drift_ms", Problem: fmt.Sprintf("%s, want at most %s either way", h.Drift, MaxDrift)}
	}
	return nil
}

// SuccessRate is the part of the planned slots in which the meter gave its
// readings, 0 to 1, for people; ok is false while none was planned.
func (h MeterHealth) SuccessRate() (rate float64, ok bool) {
	if h.Planned == 0 {
		return 0, false
	}
	return float64(h.Read) / float64(h.Planned), true
}

func (f MeterFault) validate() error {
	if err := f.Meter.Validate(); err != nil {
		return err
	}
	if err := validTime("since", f.Since); err != nil {
		return err
	}
	if err := validLine("error", f.Error, MaxFaultText); err != nil {
		return err
	}
	if f.Cause != "" {
		if err := oneOf("cause", f.Cause, causeTable); err != nil {
			return err
		}
	}
	if f.Exchange == nil {
		return nil
	}
	return at("exchange", f.Exchange.Validate())
}

// validLine refuses a text that is empty, too long, or more than one line of
// printable characters.
func validLine(field, s string, limit int) error {
	switch {
	case s == "" || len(s) > limit:
		return &FieldError{Field: field, Problem: fmt.Sprintf("%d bytes, want 1 to %d", len(s), limit)}
	case !utf8.ValidString(s):
		return &FieldError{Field: field, Problem: errUTF8.Error()}
	case strings.ContainsFunc(s, notPrintable):
		return &FieldError{Field: field, Problem: "a character that does not print, want one line of text"}
	}
	return nil
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) }

// FaultText makes a text fit MeterFault.Error: what does not print becomes a
// space, what is too long is cut at a character and ends in "...", and an
// empty text becomes "unknown error".
func FaultText(s string) string {
	if s = lineText(s, MaxFaultText); s == "" {
		return "unknown error"
	}
	return s
}

// lineText makes one line of at most limit bytes of any text. It may be empty.
func lineText(s string, limit int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if notPrintable(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s))
	if len(s) <= limit {
		return s
	}
	cut := limit - len("...")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
