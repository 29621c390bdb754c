package reconcile

import (
	"encoding/binary"
	"fmt"
	"math"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// balanceVersion is the first byte of a stored balance. A decoder refuses any other.
const balanceVersion = 1

// The kinds of stored balance, the second byte.
const (
	kindAccount = 'a'
	kindOrder   = 'o'
)

// Encode returns b in its stored form: version and kind, then the fields in the
// order of the structures, numbers as varints, texts and lists with their
// length. Equal balances give equal bytes.
func (b *Balance) Encode() []byte { return b.AppendTo(make([]byte, 0, 128)) }

// AppendTo appends the stored form of b to buf.
func (b *Balance) AppendTo(buf []byte) []byte {
	c := coder{buf: append(buf, balanceVersion, kindAccount), writing: true}
	b.code(&c)
	return c.buf
}

// DecodeBalance reads what Encode writes, and nothing else; errors are ErrBalance.
func DecodeBalance(data []byte) (Balance, error) {
	var b Balance
	err := decode(data, kindAccount, b.code)
	return b, err
}

// Encode is like Balance.Encode.
func (b *OrderBalance) Encode() []byte { return b.AppendTo(make([]byte, 0, 64)) }

// AppendTo appends the stored form of b to buf.
func (b *OrderBalance) AppendTo(buf []byte) []byte {
	c := coder{buf: append(buf, balanceVersion, kindOrder), writing: true}
	b.code(&c)
	return c.buf
}

// DecodeOrderBalance reads what Encode writes, and nothing else; errors are
// ErrBalance.
func DecodeOrderBalance(data []byte) (OrderBalance, error) {
	var b OrderBalance
	err := decode(data, kindOrder, b.code)
	return b, err
}

// decode reads data by a function that visits the fields.
func decode(data []byte, kind byte, visit func(*coder)) error {
	if len(data) < 2 || data[0] != balanceVersion || data[1] != kind {
		return fmt.Errorf("%w: want version %d of kind %q", ErrBalance, balanceVersion, kind)
	}
	c := coder{buf: data[2:]}
	visit(&c)
	if c.problem == "" && len(c.buf) > 0 {
		c.fail("bytes after its end")
	}
	if c.problem != "" {
		return fmt.Errorf("%w: %s, %d bytes before the end: restore it, or run its days again", ErrBalance, c.problem, len(c.buf))
	}
	return nil
}

// coder writes fields, or reads them: one visit serves both, so that the two
// cannot differ.
type coder struct {
	buf     []byte
	writing bool
	problem string
}

// fail notes the first problem and ends the reading.
func (c *coder) fail(problem string) {
	if c.problem == "" {
		c.problem = problem
	}
}

// unsigned codes v, at most limit.
func (c *coder) unsigned(v *uint64, limit uint64) {
	if c.writing {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	if c.problem != "" {
		return
	}
	if len(c.buf) > 0 && uint64(c.buf[0]) <= min(limit, 0x7f) {
		*v, c.buf = uint64(c.buf[0]), c.buf[1:]
		return
	}
	n, size := binary.Uvarint(c.buf)
	switch {
	case size <= 0 || size > 1 && c.buf[size-1] == 0:
		c.fail("number cut short, too large or not in its shortest form")
		return
	case n > limit:
		c.fail("number out of range")
		return
	}
	*v, c.buf = n, c.buf[size:]
}

// int64 codes v.
func (c *coder) int64(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.unsigned(&u, math.MaxUint64)
	*v = int64(u>>1) ^ -int64(u&1)
}

func (c *coder) uint32(v *uint32) {
	u := uint64(*v)
	c.unsigned(&u, math.MaxUint32)
	*v = uint32(u)
}

func (c *coder) bool(v *bool) {
	u := uint64(0)
	if *v {
		u = 1
	}
	c.unsigned(&u, 1)
	*v = u == 1
}

func (c *coder) day(v *ledger.Day) {
	n := int64(*v)
	c.int64(&n)
	if n > math.MaxInt32 || n < math.MinInt32 {
		c.fail("day out of range")
		return
	}
	*v = ledger.Day(n)
}

func (c *coder) fen(v *schemas.Fen) { c.int64((*int64)(v)) }

func (c *coder) tally(t *Tally) {
	c.int64(&t.Count)
	c.fen(&t.Fen)
	c.int64(&t.Volume)
}

// text codes a string.
func text[T ~string](c *coder, v *T) {
	n := uint64(len(*v))
	c.unsigned(&n, uint64(len(c.buf)))
	switch {
	case c.writing:
		c.buf = append(c.buf, *v...)
	case c.problem != "":
	case n > uint64(len(c.buf)):
		c.fail("text cut short")
	default:
		*v, c.buf = T(c.buf[:n]), c.buf[n:]
	}
}

// word codes a string of a closed list as its index.
func word[T ~string](c *coder, v *T, words []T) {
	u := uint64(len(words))
	for i := range words {
		if words[i] == *v {
			u = uint64(i)
		}
	}
	c.unsigned(&u, uint64(len(words)-1))
	if !c.writing && c.problem == "" {
		*v = words[u]
	}
}

// list codes a list; an element takes at least one byte.
func list[T any, L ~[]T](c *coder, v *L, visit func(*coder, *T)) {
	n := uint64(len(*v))
	c.unsigned(&n, uint64(len(c.buf)))
	if !c.writing && c.problem == "" && n > 0 {
		if n > uint64(len(c.buf)) {
			c.fail("list cut short")
			return
		}
		*v = make(L, 0, min(n, 64))
	}
	for i := uint64(0); i < n && c.problem == ""; i++ {
		if !c.writing {
			var zero T
			*v = append(*v, zero)
		}
		visit(c, &(*v)[i])
	}
}

var (
	// The words of closed lists, in the order of their stored index; never changed.
	schemeWords = []schemas.PurchaseScheme{"", schemas.BySequence, schemas.ByTID}
	kindWords   = []ledger.SaleKind{ledger.Purchase, ledger.Transfer, ledger.Reissue}
	classWords  = ledger.Classes()
)

func (b *Balance) code(c *coder) {
	c.day(&b.Through)
	c.day(&b.Wake)
	list(c, &b.Open, codeOpen)
	list(c, &b.installs, codeInstall)
	list(c, &b.cards, func(c *coder, r *replaced) {
		text(c, &r.card)
		c.int64(&r.at)
	})
	s := &b.stock
	c.tally(&s.Residual)
	c.tally(&s.Overdraft)
	for _, v := range []*int64{&s.Installations, &s.Fresh, &s.Stale} {
		c.int64(v)
	}
	for i := 1; i < len(b.Open); i++ {
		if b.Open[i-1].Key >= b.Open[i].Key {
			c.fail("open differences out of order")
		}
	}
	for i := 1; i < len(b.installs); i++ {
		if b.installs[i-1].from >= b.installs[i].from {
			c.fail("installations out of order")
		}
	}
}

func codeOpen(c *coder, o *Open) {
	text(c, &o.Key)
	word(c, &o.Class, classWords)
	c.fen(&o.Amount)
	c.int64(&o.Volume)
	c.day(&o.Day)
	c.bool(&o.Settled)
}

func codeInstall(c *coder, in *install) {
	c.int64(&in.from)
	word(c, &in.scheme, schemeWords)
	c.uint32(&in.base)
	c.bool(&in.based)
	c.uint32(&in.top)
	c.bool(&in.seen.set)
	c.int64(&in.seen.at)
	c.uint32(&in.seen.count)
	c.day(&in.heard)
	c.int64(&in.heardAt)
	codeRuns(c, &in.sold)
	codeRuns(c, &in.live)
	codeRuns(c, &in.loaded)
	list(c, &in.sales, codeSale)
	list(c, &in.loads, codeLoad)
	list(c, &in.unsold, codeUnsold)
	list(c, &in.gaps, func(c *coder, g *gap) {
		codeRange(c, &g.first, &g.last)
		c.day(&g.day)
		c.int64(&g.at)
	})
	list(c, &in.undos, codeUndo)
	list(c, &in.clears, func(c *coder, l *clearing) {
		c.uint32(&l.number)
		c.int64(&l.at)
	})
	codeAnchor(c, &in.bought)
	codeAnchor(c, &in.purse)
	list(c, &in.byRate, (*coder).int64)
	c.int64(&in.lo)
	c.int64(&in.hi)
	c.bool(&in.shown.set)
	c.int64(&in.shown.at)
	c.int64(&in.shown.residual)
	c.int64(&in.shown.overdraft)
	c.int64(&in.carried)
	c.bool(&in.left)
}

// codeRange codes the ends of a range.
func codeRange(c *coder, first, last *uint32) {
	c.uint32(first)
	c.uint32(last)
	if *last < *first {
		c.fail("range that ends before it begins")
	}
}

func codeRuns(c *coder, r *runs) {
	list(c, r, func(c *coder, s *span32) { codeRange(c, &s.first, &s.last) })
	for i := 1; i < len(*r); i++ {
		if uint64((*r)[i].first) <= uint64((*r)[i-1].last)+1 {
			c.fail("purchase numbers out of order")
		}
	}
}

func codeSale(c *coder, s *sale) {
	c.int64(&s.id)
	text(c, &s.channel)
	text(c, &s.order)
	word(c, &s.kind, kindWords)
	c.uint32(&s.number)
	c.fen(&s.amount)
	c.int64(&s.volume)
	c.day(&s.day)
	c.int64(&s.at)
	c.bool(&s.further)
	c.bool(&s.loaded)
	c.bool(&s.compared)
	c.int64(&s.loadedAt)
}

func codeLoad(c *coder, l *load) {
	c.uint32(&l.number)
	c.bool(&l.known)
	c.int64(&l.amount)
	text(c, &l.card)
	c.int64(&l.at)
	c.day(&l.day)
}

func codeUnsold(c *coder, u *unsold) {
	codeRange(c, &u.first, &u.last)
	c.day(&u.day)
	c.int64(&u.at)
	text(c, &u.card)
	c.bool(&u.known)
	c.int64(&u.amount)
}

func codeUndo(c *coder, u *undo) {
	text(c, &u.channel)
	text(c, &u.order)
	text(c, &u.undoes)
	c.uint32(&u.number)
	c.fen(&u.amount)
	c.int64(&u.volume)
	c.day(&u.day)
	c.int64(&u.at)
	c.bool(&u.found)
	c.bool(&u.agrees)
	c.bool(&u.cleared)
	c.bool(&u.further)
}

func codeAnchor(c *coder, a *anchor) {
	c.bool(&a.set)
	c.bool(&a.counted)
	c.int64(&a.at)
	c.uint32(&a.count)
	c.int64(&a.value)
	c.int64(&a.used)
}

func (b *OrderBalance) code(c *coder) {
	c.day(&b.Through)
	c.day(&b.Wake)
	list(c, &b.Open, codeOpen)
	list(c, &b.rows, func(c *coder, r *orderRow) {
		c.bool(&r.payment)
		c.bool(&r.out)
		c.bool(&r.further)
		c.int64(&r.id)
		c.fen(&r.amount)
		c.int64(&r.volume)
		c.day(&r.day)
		c.int64(&r.at)
		text(c, &r.meter)
		c.int64(&r.from)
		word(c, &r.scheme, schemeWords)
		c.uint32(&r.number)
		u := uint64(r.state)
		c.unsigned(&u, uint64(rowStates-1))
		r.state = rowState(u)
	})
}
