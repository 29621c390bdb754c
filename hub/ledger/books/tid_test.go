package books

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/sts"
	"citygrid/schemas"
)

const tokenShop = `name: shop
version: "1"
content: sales
encoding: utf-8
delimiter: ","
names: true
channel: shop
utility: water
token_base: 2014
columns:
  order: {from: order}
  kind: {value: purchase}
  meter: {from: meter}
  token: {from: token}
  issued: {from: at}
  amount: {from: yuan}
  at: {from: at}
`

// TestTokens: what a shop sold as tokens is loaded in another order, and everything
// agrees; a token that nobody sold is found. The books keep no token.
func TestTokens(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, w, ctx := mustOpen(t, dsn), world{n: 1}, context.Background()
		w.begin(t, b)
		m, err := intake.Load([]byte(tokenShop))
		must(t, err)
		text, day, secret := "order,meter,token,yuan,at\n", start+1, ""
		var entries []schemas.CardEntry
		load := func(n int, minute int, bought int64) {
			id, err := sts.TIDAt(at(day, 9+minute), sts.Base2014)
			must(t, err)
			e := schemas.CardEntry{Event: schemas.CardLoad, Source: schemas.FromModbus, Utility: schemas.Water, Meter: meterOf(0), Amount: fen(1000),
				Purchase: id.Ref(), TakenAt: at(day+1, 10+n)}
			state := e
			state.Event, state.Amount, state.TakenAt = schemas.CardState, schemas.Credit{}, at(day+1, 11+n)
			state.Residual, state.Overdraft, state.Bought, state.Used = fen(1000+bought), fen(0), fen(bought), litre(0)
			entries = append(entries, e, state)
		}
		for n := range 3 {
			secret = sts.Token{Class: sts.Credit, Block: uint64(n+1) * 0x0123456789ABCD}.String()
			text += fmt.Sprintf("T%d,%s,%s,10.00,%s\n", n, meterOf(0), secret, at(day, 9+n).Format("2006-01-02T15:04:05Z07:00"))
		}
		for n, minute := range []int{2, 0, 1} {
			load(3*n, minute, int64(n+1)*1000)
		}
		o := intake.Options{Name: "shop.csv", By: "zhang", Zone: shanghai, Now: testOptions().Now, Day: &day, Number: 1}
		done, err := intake.Import(ctx, b, strings.NewReader(text), m, o)
		must(t, err)
		if raw, err := b.Raw(ctx, done.ID); err != nil || strings.Contains(string(raw), secret) || len(raw) != len(text) {
			t.Errorf("the books keep %s, %v", raw, err)
		}
		f := w.file("payments", day)
		f.Channel = "shop"
		for n := range 3 {
			p := w.payment(0)
			p.Channel, p.Order, p.Amount, p.Day, p.At = "shop", fmt.Sprintf("T%d", n), 1000, day, at(day, 9+n)
			f.Payments = append(f.Payments, p)
		}
		f.Payments = f.Payments[len(f.Payments)-3:]
		_, err = b.StoreFile(ctx, f)
		must(t, err)
		must(t, b.StoreCards(ctx, "edge-1", entries))
		w.run(t, b, start+1, start+6)
		list, _, err := b.Differences(ctx, DifferenceFilter{Utility: schemas.Water})
		must(t, err)
		for _, d := range list {
			t.Errorf("%s %s: %s %s", d.Class, d.Key, d.Shown, d.Expected)
		}
		entries = nil
		load(20, 5, 4000)
		must(t, b.StoreCards(ctx, "edge-1", entries))
		w.run(t, b, start+7, start+12)
		list, _, err = b.Differences(ctx, DifferenceFilter{Utility: schemas.Water})
		must(t, err)
		if len(list) != 1 || list[0].Class != "LOADED_NOT_SOLD" || list[0].Purchase.Scheme != schemas.ByTID {
			t.Errorf("differences %+v, want a token that nobody sold", list)
		}
	})
}
