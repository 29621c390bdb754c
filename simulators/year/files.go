package year

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"citygrid/internal/gm"
	"citygrid/schemas"
)

// flushAt is how many bytes of details wait in memory before they are written.
const flushAt = 64 << 20

// WriteFiles writes the vending and settlement files of every utility, channel
// and day below dir, in a folder a day (see the package comment). It makes the
// world once and holds little of it. The files are complete when it returns nil;
// after an error or a cancelled ctx the folder is to be thrown away.
func (w *World) WriteFiles(ctx context.Context, dir string) error {
	fs := &files{w: w, dir: dir, open: map[fileKey]*file{}}
	if err := fs.begin(); err != nil {
		return fmt.Errorf("write settlement files: %w", err)
	}
	for p := range w.Places() {
		if err := errors.Join(ctx.Err(), fs.place(p)); err != nil {
			return fmt.Errorf("write settlement files: %w", err)
		}
	}
	if err := fs.end(); err != nil {
		return fmt.Errorf("write settlement files: %w", err)
	}
	return nil
}

type fileKey struct {
	payments bool
	utility  schemas.Medium
	channel  string
	day      int32
}

// file is one file in the making.
type file struct {
	path          string
	waiting       []byte
	sum           hash.Hash
	count         int
	debit, credit int64
}

type files struct {
	w       *World
	dir     string
	open    map[fileKey]*file
	waiting int
	row     []byte
}

// inGB reports the channels whose files are in GB 18030, with Chinese words.
func (w *World) inGB(channel string) bool {
	return !w.opt.Plain && (channel == "bank" || channel == "alipay")
}

// begin makes the folders and the heads of all files: a channel sends one for a
// day without business too.
func (fs *files) begin() error {
	for d := fs.w.FirstDay(); d <= fs.w.LastDay(); d++ {
		if err := os.MkdirAll(filepath.Join(fs.dir, dayName(d)), 0o755); err != nil {
			return err
		}
		for _, u := range []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas} {
			for _, c := range Channels() {
				for _, payments := range []bool{false, true} {
					if err := fs.head(fileKey{payments, u, c.Name, d}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func dayName(d int32) string { return time.Unix(int64(d)*day, 0).UTC().Format(time.DateOnly) }

func (k fileKey) content() string {
	if k.payments {
		return "payments"
	}
	return "sales"
}

func (fs *files) head(k fileKey) error {
	name := fmt.Sprintf("%s-%s-%s-%s-1.csv", k.content(), k.utility, k.channel, dayName(k.day))
	f := &file{path: filepath.Join(fs.dir, dayName(k.day), name), sum: gm.NewSM3()}
	fs.open[k] = f
	err := fs.line(f, k.channel, "#citygrid", "1", k.content(), string(k.utility), k.channel, dayName(k.day), "1")
	if err == nil {
		err = fs.line(f, k.channel, fs.columns(k)...)
	}
	return err
}

func (fs *files) columns(k fileKey) []string {
	switch {
	case k.payments && fs.w.inGB(k.channel):
		return strings.Split("订单号,流水号,类型,金额(元),时间", ",")
	case k.payments:
		return strings.Split("order,reference,kind,amount,at", ",")
	case fs.w.inGB(k.channel):
		return strings.Split("订单号,类型,表号,户号,卡号,购买次数,金额(元),量,原订单号,时间,操作员,终端", ",")
	default:
		return strings.Split("order,kind,meter_number,customer,card,purchase,amount,volume,undoes,at,operator,terminal", ",")
	}
}

// line adds a line in the manner of the channel.
func (fs *files) line(f *file, channel string, cells ...string) error {
	row, err := fs.row[:0], error(nil)
	for i, c := range cells {
		if i > 0 {
			row = append(row, ',')
		}
		if !fs.w.inGB(channel) {
			row = append(row, c...)
		} else if row, err = gb18030(row, c); err != nil {
			return err
		}
	}
	if fs.w.inGB(channel) {
		row = append(row, '\r')
	}
	row = append(row, '\n')
	fs.row = row
	f.sum.Write(row)
	f.waiting = append(f.waiting, row...)
	fs.waiting += len(row)
	if fs.waiting < flushAt {
		return nil
	}
	return fs.flush()
}

// flush appends what waits to the files.
func (fs *files) flush() error {
	for _, f := range fs.open {
		if err := f.flush(); err != nil {
			return err
		}
	}
	fs.waiting = 0
	return nil
}

func (f *file) flush() error {
	if len(f.waiting) == 0 {
		return nil
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(f.waiting)
	f.waiting = nil
	return errors.Join(err, out.Close())
}

// place adds the rows of a place, those of each file in the order of their time.
func (fs *files) place(p *Place) error {
	for i := range p.Sales {
		if err := fs.sale(&p.Sales[i]); err != nil {
			return err
		}
	}
	for i := range p.Payments {
		if err := fs.payment(&p.Payments[i]); err != nil {
			return err
		}
	}
	return nil
}

func (fs *files) sale(s *Sale) error {
	f := fs.open[fileKey{false, s.Utility, s.Channel, s.Day}]
	if f == nil {
		return fmt.Errorf("sale %s of channel %s: no file of day %s", s.Order, s.Channel, dayName(s.Day))
	}
	f.book(s.Kind == Refund || s.Kind == Reversal, s.Amount)
	volume := ""
	if s.Volume != 0 {
		volume = strconv.FormatInt(s.Volume, 10)
	}
	return fs.line(f, s.Channel, s.Order, fs.kindWord(s.Kind, s.Channel), s.MeterNumber, string(s.Customer), string(s.Card),
		strconv.Itoa(int(s.Purchase)), s.Amount.String(), volume, s.Undoes, fs.timeWord(s.At, s.Channel), s.Operator, s.Terminal)
}

func (fs *files) payment(p *Payment) error {
	f := fs.open[fileKey{true, p.Utility, p.Channel, p.Day}]
	if f == nil {
		return fmt.Errorf("payment %s of channel %s: no file of day %s", p.Order, p.Channel, dayName(p.Day))
	}
	kind := payment
	if p.Refund {
		kind = Refund
	}
	f.book(p.Refund, p.Amount)
	return fs.line(f, p.Channel, p.Order, p.Reference, fs.kindWord(kind, p.Channel), p.Amount.String(), fs.timeWord(p.At, p.Channel))
}

// book counts a row for the trailer.
func (f *file) book(back bool, amount schemas.Fen) {
	f.count++
	if back {
		f.credit += int64(amount)
	} else {
		f.debit += int64(amount)
	}
}

// payment is the word of files for a payment that is no refund.
const payment Kind = "payment"

func (fs *files) kindWord(k Kind, channel string) string {
	if !fs.w.inGB(channel) {
		return string(k)
	}
	return map[Kind]string{Purchase: "购买", Refund: "退费", Reversal: "冲正", Transfer: "换表", Reissue: "补写", payment: "付款"}[k]
}

func (fs *files) timeWord(t time.Time, channel string) string {
	if fs.w.inGB(channel) {
		return t.In(fs.w.opt.Zone).Format(time.DateTime)
	}
	return t.In(fs.w.opt.Zone).Format(time.RFC3339)
}

// end writes the trailers.
func (fs *files) end() error {
	for k, f := range fs.open {
		digest := fmt.Sprintf("%x", f.sum.Sum(nil))
		err := fs.line(f, k.channel, "#total", strconv.Itoa(f.count), schemas.Fen(f.debit).String(), schemas.Fen(f.credit).String(), digest)
		if err != nil {
			return err
		}
	}
	return fs.flush()
}
