package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	barWidth  = 30
	barEvery  = 200 * time.Millisecond // on a terminal
	lineEvery = 10 * time.Second       // elsewhere: a log
)

// bar shows how far long work is: on a terminal a line that changes in its place,
// elsewhere a line now and then. It belongs to one goroutine.
type bar struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	begun    time.Time
	shown    time.Time
	dirty    bool // a line without its end stands on the terminal
}

func newBar(out io.Writer, now func() time.Time) *bar {
	b := &bar{out: out, now: now, begun: now()}
	b.shown = b.begun
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// show tells how much of total is done; 0 is a total that is not known. Quick work
// shows nothing.
func (b *bar) show(what string, done, total int64) {
	now, every := b.now(), lineEvery
	if b.terminal {
		every = barEvery
	}
	if now.Sub(b.shown) < every {
		return
	}
	b.shown = now
	line := fmt.Sprintf("%s: %s in %s", what, amount(done, total), now.Sub(b.begun).Round(time.Second))
	if b.terminal {
		fmt.Fprintf(b.out, "\r\x1b[K%s", line)
		b.dirty = true
		return
	}
	fmt.Fprintln(b.out, line)
}

func amount(done, total int64) string {
	if total <= 0 {
		return fmt.Sprint(done)
	}
	full := int(min(done, total) * barWidth / total)
	return fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, total)
}

// end takes the line off the terminal.
func (b *bar) end() {
	if b.dirty {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.dirty = false
	}
}
