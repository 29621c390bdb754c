package intake

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"

	"citygrid/hub/ledger/sts"
	"citygrid/schemas"
)

// strike is a token in the bytes of the file. Whoever has a token can load it, so
// the books keep none.
type strike struct {
	from, to int // of its line
	text     string
}

// struck returns the bytes of the file with an asterisk for each character of its
// tokens.
func (p *parser) struck() []byte {
	if len(p.tokens) == 0 {
		return p.raw
	}
	out := bytes.Clone(p.raw)
	for _, s := range p.tokens {
		line := out[s.from:s.to]
		for at := bytes.Index(line, []byte(s.text)); at >= 0; at = bytes.Index(line, []byte(s.text)) {
			copy(line[at:], bytes.Repeat([]byte("*"), len(s.text)))
		}
	}
	return out
}

// maskTokens hides what may be a token, or a good part of one, in the text of a
// message.
func maskTokens(text string) string {
	return regexp.MustCompile(`\d(?:[ -]?\d){7,}`).ReplaceAllString(text, "****")
}

// token reads the purchase of a row that is known by a token: its identifier, or
// the moment of its issue from which that follows. ok is false for a row without.
func (p *parser) token(kind string) (ref schemas.PurchaseRef, ok bool) {
	if !p.m.tokens {
		return ref, false
	}
	token, column, _ := p.get("token", kind)
	if token != "" {
		p.tokens = append(p.tokens, strike{p.at, p.at + p.length, token})
		switch t, err := sts.Parse(token); {
		case err != nil:
			p.problem(column, "", err.Error())
		case t.Class != sts.Credit:
			p.problem(column, "", "token: a "+t.Class.String()+" token, which nobody buys; look for columns that are swapped")
		}
	}
	tid, tidColumn, tidOK := p.tid(kind)
	issued, _, issuedOK := p.issued(kind)
	switch {
	case tidOK && issuedOK && tid != issued:
		p.problem(tidColumn, strconv.FormatUint(uint64(tid), 10), "tid: another token than that issued at the moment of the row, which is "+strconv.FormatUint(uint64(issued), 10)+"; check the mapping's token_base")
	case !tidOK && !issuedOK && token != "":
		purchase, _, _ := p.get("purchase", kind)
		if !strings.HasPrefix(purchase, "tid:") {
			p.problem(column, "", "token: neither its identifier (tid) nor the moment of its issue (issued) is given, and the token does not show them")
			return ref, true
		}
		return ref, false
	case !tidOK:
		tid = issued
	}
	return sts.TID(tid).Ref(), tidOK || issuedOK
}

// tid reads the identifier of a token.
func (p *parser) tid(kind string) (n uint32, column int, ok bool) {
	text, column, _ := p.get("tid", kind)
	if text == "" {
		return 0, column, false
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil || v < 1 || v > min(schemas.MaxTID, math.MaxUint32) {
		p.problem(column, text, "tid: want the identifier of a token, 1 to "+strconv.Itoa(schemas.MaxTID))
	}
	return uint32(v), column, true
}

// issued reads the moment at which a token was made.
func (p *parser) issued(kind string) (n uint32, column int, ok bool) {
	text, column, s := p.get("issued", kind)
	if text == "" {
		return 0, column, false
	}
	at, good := p.when("issued", text, column, s)
	if !good {
		return 0, column, true
	}
	tid, err := sts.TIDAt(at, p.m.tokenBase)
	if err != nil {
		p.problem(column, text, "issued: "+err.Error())
	}
	return uint32(tid), column, true
}
