package intake

import (
	"bytes"
	"strings"
)

// RowLine is a row of a file as it stands there.
type RowLine struct {
	Line int    // from 1
	Text string // without its line end, as UTF-8
	// Names is the line that names the columns; empty where the mapping has none.
	Names string
}

// Line finds the n-th row (from 1) of a file that m has read without mistakes, such as
// one from the books. ok is false where the file has not so many rows.
func Line(raw []byte, m *Mapping, n int) (found RowLine, ok bool) {
	p := newParser(raw, m, Options{})
	rest := raw
	if p.gb == nil {
		rest = bytes.TrimPrefix(rest, []byte("\xef\xbb\xbf"))
	}
	for len(rest) > 0 && !p.trailed {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		p.line++
		text, _ := p.decode(bytes.TrimSuffix(line, []byte("\r")))
		switch {
		case strings.TrimSpace(text) == "":
		case p.match("trailer", text) != nil:
			p.trailed = true
		case p.heading(text), p.match("skip", text) != nil:
		case m.names && !p.begun:
			p.begun, found.Names = true, text
		default:
			p.begun = true
			if n--; n == 0 {
				found.Line, found.Text = p.line, text
				return found, true
			}
		}
	}
	return RowLine{}, false
}
