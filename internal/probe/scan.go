package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
)

// Find is a meter, or several that speak at once, that answered a scan.
type Find struct {
	// Protocol is modbus, dlt645 or cjt188.
	Protocol string `json:"protocol"`
	// Address is what a configuration names it by: a unit, or the digits.
	Address string `json:"address"`
	// Serial is how the wire was driven, empty on Modbus TCP.
	Serial string `json:"serial,omitempty"`
	// Answer is what it said, in words.
	Answer string `json:"answer"`
	// Profiles are the built-in ones that fit best.
	Profiles []Match `json:"profiles,omitempty"`

	// unclear: bytes came, and no whole answer.
	unclear bool
}

// question is one request of a scan.
type question struct {
	name string // for the progress
	unit uint8
	// put asks; it returns what answered, nil for nobody.
	put func(*scanner, context.Context, *session, question) (*Find, error)
}

// scanner looks for who answers on a line.
type scanner struct {
	place    place
	settings []*line.Serial // in the order in which they are tried; nil is Modbus TCP
	asks     []question     // at each setting
	// all goes on after a setting at which somebody answered; first ends with
	// the first that answers. Bytes that are no answer do not count.
	all, first bool
	match      bool // look for profiles that fit
	open       func(place) *session
	progress   io.Writer
	now        func() time.Time

	began, told time.Time
	done        int
	spent       time.Duration // in questions, without the profiles
}

// settingsOf returns the settings to try on a device: those most used first.
func settingsOf(bauds []int) (all []*line.Serial) {
	for _, baud := range bauds {
		for _, parity := range []line.Parity{line.None, line.Even} {
			all = append(all, &line.Serial{Baud: baud, DataBits: 8, Parity: parity, StopBits: 1})
		}
	}
	// Modbus meters leave the factory with 9600 8N1, DL/T 645 and CJ/T 188 have
	// 2400 8E1 from their standards, and newer ones 9600 8E1.
	usual := []line.Serial{{Baud: 9600, DataBits: 8, Parity: line.None, StopBits: 1}, {Baud: 2400, DataBits: 8, Parity: line.Even, StopBits: 1}, {Baud: 9600, DataBits: 8, Parity: line.Even, StopBits: 1}}
	place := func(s *line.Serial) int {
		if i := slices.Index(usual, *s); i >= 0 {
			return i
		}
		return len(usual)
	}
	slices.SortStableFunc(all, func(a, b *line.Serial) int { return place(a) - place(b) })
	return all
}

// asksOf returns the questions of one setting: the two that any meter of a
// protocol answers, then the units.
func asksOf(wire, all bool, units []uint8) (asks []question) {
	if wire {
		asks = append(asks,
			question{name: "DL/T 645 address", put: (*scanner).ask645},
			question{name: "CJ/T 188 address", put: (*scanner).ask188})
	}
	if wire && all {
		asks = append(asks, question{name: "DL/T 645-1997", put: (*scanner).ask1997})
	}
	for _, unit := range units {
		asks = append(asks, question{name: fmt.Sprintf("Modbus unit %d", unit), unit: unit, put: (*scanner).askUnit})
	}
	return asks
}

// run asks everything, in order, until it is done, told to stop, or fails. What
// was found until then is returned in every case. The end of ctx is no error.
func (s *scanner) run(ctx context.Context) (finds []Find, err error) {
	s.began = s.now()
	for _, setting := range s.settings {
		at := s.place
		at.serial = setting
		found, err := s.runSetting(ctx, at)
		finds = append(finds, found...)
		if err != nil {
			return finds, err
		}
		if ctx.Err() != nil || slices.ContainsFunc(found, Find.clear) && (s.first || !s.all) {
			break
		}
	}
	return finds, nil
}

// runSetting asks everything at one setting.
func (s *scanner) runSetting(ctx context.Context, at place) (finds []Find, err error) {
	session := s.open(at)
	defer func() { err = errors.Join(err, session.close()) }()
	for _, q := range s.asks {
		if ctx.Err() != nil {
			return finds, nil
		}
		s.tell(at, q)
		start := s.now()
		found, err := q.put(s, ctx, session, q)
		s.done++
		s.spent += s.now().Sub(start)
		if fatal(err) {
			return finds, err
		}
		if found == nil {
			continue
		}
		if at.serial != nil {
			found.Serial = at.serial.String()
		}
		if s.match {
			found.Profiles = s.matches(ctx, session, found, q)
		}
		fmt.Fprintf(s.progress, "found: %s %s: %s\n", found.Protocol, strings.TrimSpace(found.Address+" "+found.Serial), found.Answer)
		if finds = append(finds, *found); s.first && found.clear() {
			return finds, nil
		}
	}
	return finds, nil
}

// fatal reports an error for which no other question has a better chance: the
// port or the gateway is not there.
func fatal(err error) bool {
	var dial *line.DialError
	return errors.As(err, &dial)
}

// tellEvery is the time between two lines of progress.
const tellEvery = 2 * time.Second

// tell prints how far the scan is.
func (s *scanner) tell(at place, q question) {
	now := s.now()
	if s.done > 0 && now.Sub(s.told) < tellEvery {
		return
	}
	s.told = now
	total := len(s.settings) * len(s.asks)
	setting := at.address
	if at.serial != nil {
		setting = at.serial.String()
	}
	left := ""
	if s.done > 0 {
		rest := s.spent / time.Duration(s.done) * time.Duration(total-s.done)
		left = fmt.Sprintf(", at most %s left", rest.Round(time.Second))
	}
	fmt.Fprintf(s.progress, "%3d%%%s: %s, %s\n", 100*s.done/max(total, 1), left, setting, q.name)
}

// clear reports whether somebody answered so that the settings are right.
func (f Find) clear() bool { return !f.unclear }

// unclear returns the find of bytes that are no answer: they say that somebody
// is there. It returns err itself when none came.
func unclear(protocol, address string, err error) (*Find, error) {
	f := &Find{Protocol: protocol, Address: address, unclear: true}
	var none *line.NoAnswer
	var frame *line.FrameError
	switch {
	case errors.As(err, &none) && none.Got > 0:
		f.Answer = fmt.Sprintf("%d bytes that are no frame: several answer at once, or noise, or other settings", none.Got)
	case errors.As(err, &frame):
		f.Answer = fmt.Sprintf("%v: several answer at once, or noise, or another master", frame)
	default:
		return nil, err
	}
	return f, nil
}

// anonymous stands for the address of those who answer at once.
const anonymous = "?"

// ask645 asks the only meter of the line for its address, by the function for it
// and, since not every meter has that, by reading an item.
func (s *scanner) ask645(ctx context.Context, on *session, _ question) (*Find, error) {
	var address string
	err := on.ask(ctx, func(ctx context.Context) (err error) {
		address, err = on.dlt645.ReadAddress(ctx)
		return err
	})
	if err == nil {
		return &Find{Protocol: "dlt645", Address: address, Answer: "its address"}, nil
	}
	if f, err := unclear("dlt645", anonymous, err); f != nil || fatal(err) {
		return f, err
	}
	return s.ask645Item(ctx, on, 2007, 0x00010000)
}

func (s *scanner) ask1997(ctx context.Context, on *session, _ question) (*Find, error) {
	return s.ask645Item(ctx, on, 1997, 0x9010)
}

// ask188 asks the only meter of the line for its address.
func (s *scanner) ask188(ctx context.Context, on *session, _ question) (*Find, error) {
	var find *Find
	err := on.ask(ctx, func(ctx context.Context) error {
		found, err := on.cjt188.FindOnly(ctx)
		if err == nil {
			find = &Find{Protocol: "cjt188", Address: found.Address, Answer: fmt.Sprintf("its address, type %02X", found.Type)}
		}
		return err
	})
	if err != nil {
		return unclear("cjt188", anonymous, err)
	}
	return find, nil
}

// askUnit reads two registers, because meters whose numbers all have two refuse
// to give one, and those that keep silent then are not found. An exception is an
// answer too, unless a gateway says by it that nobody is there.
func (s *scanner) askUnit(ctx context.Context, on *session, q question) (*Find, error) {
	find := &Find{Protocol: "modbus", Address: fmt.Sprintf("unit %d", q.unit)}
	raw, err := on.registers(ctx, q.unit, modbus.Request{Function: 3, At: 0, Count: 2})
	if err == nil {
		find.Answer = "holding registers from 0x0000: " + words(raw)
		return find, nil
	}
	if code, ok := modbus.ExceptionOf(err); ok {
		if code == 0x0A || code == 0x0B {
			return nil, nil
		}
		find.Answer = fmt.Sprintf("exception %02X to holding registers from 0x0000", code)
		return find, nil
	}
	return unclear(find.Protocol, find.Address, err)
}
