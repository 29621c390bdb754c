package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/line"
	"citygrid/collector"
	"citygrid/collector/config"
	"citygrid/internal/cli"
)

// monitor is the command line of monitor.
type monitor struct {
	target
	poll   bool
	every  time.Duration
	cycles int
}

func newMonitor() *cobra.Command {
	var m monitor
	cmd := &cobra.Command{
		Use:   "monitor (--address LINE | -c FILE --line NAME [--poll])",
		Short: "Show each frame on a line, with its time and in words",
		Long: `Listens and sends nothing; with --poll it reads the meters that the configuration
has on the line and shows what goes over it, and why an answer was not taken. What
is read is shown as frames only: nothing is sealed or sent on. Ctrl-C ends it.

A Modbus TCP gateway gives its frames to who asked for them: there is nothing to
hear without --poll.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	m.target.add(cmd, time.Second)
	m.require(cmd)
	f := cmd.Flags()
	f.BoolVar(&m.poll, "poll", false, "read the meters of the line, one after the other")
	f.DurationVar(&m.every, "every", time.Second, "with --poll: the pause between two rounds")
	f.IntVar(&m.cycles, "cycles", 0, "with --poll: end after so many rounds (default: go on until Ctrl-C)")
	return cmd
}

func (m *monitor) run(ctx context.Context, out, progress io.Writer) error {
	p, err := m.target.resolve()
	if err != nil {
		return err
	}
	w := &watcher{out: out, tcp: p.serial == nil && !line.IsDevice(p.address)}
	if m.poll {
		return m.pollLine(ctx, p, w, progress)
	}
	if w.tcp {
		return errors.New("a Modbus TCP gateway gives frames only to who asked: give -c FILE --line NAME --poll; a transparent serial server needs --serial")
	}
	l := line.New(line.Config{Name: p.name, Address: p.address, Serial: p.serial, Timeout: p.timeout})
	how := "" // over TCP the server drives the wire
	if s, ok := l.Serial(); ok && line.IsDevice(p.address) {
		how = " at " + s.String()
	}
	fmt.Fprintf(progress, "listening on %s%s; Ctrl-C ends\n", l, how)
	err = l.Listen(ctx, func(at time.Time, b []byte) { w.bytes(at, received, b) })
	w.flush()
	if ctx.Err() != nil {
		err = nil
	}
	return cli.Failed(errors.Join(p.vanished(err), l.Close(), w.err))
}

// vanished says what to do about a line that could be opened and then was gone.
func (p place) vanished(err error) error {
	if err == nil || fatal(err) { // which says it itself
		return err
	}
	return fmt.Errorf("%w: %s, and start again", err, p.whereTo())
}

// whereTo is where to look when the line is gone.
func (p place) whereTo() string {
	if line.IsDevice(p.address) {
		return "the port is gone: look whether the adapter is plugged in"
	}
	return "the connection is gone: most gateways and serial servers serve one client at a time, so look whether a collector or another program uses it"
}

// isGone reports whether a read failed because the line was lost meanwhile, for
// which the systems have few words.
func isGone(err error) bool {
	for _, lost := range []error{io.EOF, syscall.ECONNRESET, syscall.EPIPE, syscall.EIO, syscall.ENXIO} {
		if errors.Is(err, lost) {
			return !fatal(err)
		}
	}
	return false
}

// pollLine reads the meters of the line in turn.
func (m *monitor) pollLine(ctx context.Context, p place, w *watcher, progress io.Writer) error {
	if m.file == "" {
		return errors.New("--poll reads the meters of a configuration: give -c FILE --line NAME")
	}
	c, err := config.Load(m.file)
	if err != nil {
		return err
	}
	w.polls = true
	l, err := c.BuildMonitored(p.name, w.event)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "polling line %s (%d meters) at %s; Ctrl-C ends\n", l.Name, len(l.Meters), p.address)
	for n := 1; ctx.Err() == nil; n++ {
		m.round(ctx, p, l, w, progress)
		if n == m.cycles {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(m.every):
		}
	}
	w.flush()
	return cli.Failed(errors.Join(l.Close(), w.err))
}

// round reads each meter once. A read that is under way is not cut short.
func (m *monitor) round(ctx context.Context, p place, l collector.Line, w *watcher, progress io.Writer) {
	for _, meter := range l.Meters {
		if ctx.Err() != nil {
			return
		}
		readings, err := meter.Source.Read(context.WithoutCancel(ctx))
		w.flush()
		switch {
		case isGone(err):
			fmt.Fprintf(progress, "%v: %s\n", err, p.whereTo())
		case err != nil:
			fmt.Fprintf(progress, "%v\n", err)
		default:
			fmt.Fprintf(progress, "meter %s: %d values\n", meter.ID, len(readings))
		}
	}
}

// direction is where bytes went, as far as it is known.
type direction string

const (
	sent      direction = "->"
	received  direction = "<-"
	discarded direction = "--"
)

// frameGap ends a frame that is not whole: no device pauses that long inside.
const frameGap = 300 * time.Millisecond

// maxPending is more than any frame has.
const maxPending = 600

// watcher turns runs of bytes into lines of text, one a frame.
type watcher struct {
	out io.Writer
	tcp bool
	// polls is whether the requests on the line are our own.
	polls bool
	err   error // of out, the first

	pending []byte // received and no whole frame yet
	at      time.Time
	dir     direction
	asked   *seen  // the last request, sent or overheard
	done    bool   // it was answered
	shown   []byte // received since the last request was sent
}

// event takes an event of a line that is polled.
func (w *watcher) event(e line.Event) {
	switch e.What {
	case line.Sent:
		w.bytes(e.At, sent, e.Bytes)
		w.shown = w.shown[:0]
	case line.Received:
		w.bytes(e.At, received, e.Bytes)
		w.shown = append(w.shown, e.Bytes...)
	case line.Discarded:
		if bytes.HasSuffix(w.shown, e.Bytes) {
			w.flush()
			w.print(e.At, discarded, nil, fmt.Sprintf("the last %d bytes were thrown away: nothing of them was taken", len(e.Bytes)))
			return
		}
		w.bytes(e.At, discarded, e.Bytes)
	}
}

// bytes takes a run of bytes.
func (w *watcher) bytes(at time.Time, dir direction, b []byte) {
	if len(w.pending) > 0 && (dir != w.dir || at.Sub(w.at) > frameGap) {
		w.flush()
	}
	w.pending, w.at, w.dir = append(w.pending, b...), at, dir
	for len(w.pending) > 0 {
		s, skip, n := find(w.pending, w.tcp, dir == sent)
		if n == 0 {
			break
		}
		w.rubbish(w.pending[:skip])
		w.frame(s, w.pending[:skip+n], skip)
		w.pending = w.pending[skip+n:]
	}
	if dir == sent || len(w.pending) > maxPending {
		w.flush()
	}
}

// flush shows what is left as what it is: no frame.
func (w *watcher) flush() {
	if len(w.pending) > 0 {
		w.print(w.at, w.dir, w.pending, "rubbish: "+whyNot(w.pending, w.tcp))
		w.pending = nil
	}
}

// rubbish shows what stood before a frame, unless it is the lead-in.
func (w *watcher) rubbish(b []byte) {
	if bytes.Count(b, []byte{leadIn}) < len(b) {
		w.print(w.at, w.dir, b, "rubbish: "+whyNot(b, w.tcp))
	}
}

// frame shows a frame and what it is to the request before it.
func (w *watcher) frame(s *seen, b []byte, skip int) {
	text, dir := s.protocol+": "+s.text, w.dir
	switch {
	case w.dir == discarded:
		text = "stale: nothing was awaited: " + text
	case w.dir == sent || s.request && !w.echo(s):
		if w.asked != nil && !w.done {
			text += " (the request before it got no answer)"
		}
		w.asked, w.done, dir = s, false, sent
	case s.request:
		text = "echo of the request: " + text
	case w.asked == nil:
		text = "answer to nothing that was seen: " + text
	case !s.answers(w.asked):
		text = "stale or foreign, does not answer the request before it: " + text
	case w.done:
		text = "second answer: " + text
	default:
		w.done = true
	}
	w.print(w.at, dir, b[skip:], text)
}

// echo reports whether s, received, is our own request: half-duplex converters
// hear themselves.
func (w *watcher) echo(s *seen) bool {
	return w.polls && w.asked != nil && !w.done && s.text == w.asked.text
}

func (w *watcher) print(at time.Time, dir direction, b []byte, text string) {
	_, err := fmt.Fprintf(w.out, "%s %s % X\n    %s\n", at.Local().Format("15:04:05.000"), dir, b, text)
	if w.err == nil {
		w.err = err
	}
}
