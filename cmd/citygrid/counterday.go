package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/adapters/cardslot/cardfile"
	"citygrid/hub/ledger"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// closeDays closes every file up to day and returns their paths, the oldest first.
// A sale of such a day that is settled later begins a file with the next number.
func (c *counter) closeDays(day string) ([]string, error) {
	changed := false
	for i := range c.desk.Open {
		if t := &c.desk.Open[i]; t.Day <= day && !t.Closing {
			t.Closing, changed = true, true
		}
	}
	if !changed {
		return nil, nil
	}
	if err := c.save(); err != nil { // from here on the content of the files is settled
		return nil, err
	}
	var paths []string
	for i := range c.desk.Open {
		if t := &c.desk.Open[i]; t.Closing {
			paths = append(paths, c.path(t))
		}
	}
	slices.Sort(paths)
	return paths, c.writeClosing()
}

// path is the file of a day.
func (c *counter) path(t *takings) string {
	return filepath.Join(c.dir, settlementName, fmt.Sprintf("%s-%s-%s-%d.csv", t.Day, c.desk.Settings.Terminal, t.Utility, t.Number))
}

// writeClosing writes the files of the days that are being closed, and forgets
// their rows.
func (c *counter) writeClosing() error {
	done := make(map[int]bool)
	for i := range c.desk.Open {
		t := &c.desk.Open[i]
		if !t.Closing {
			continue
		}
		if err := os.MkdirAll(filepath.Join(c.dir, settlementName), 0o700); err != nil {
			return fmt.Errorf("close the day: %w", err)
		}
		text, err := settlement(c.desk.Settings.Terminal, t)
		if err == nil {
			err = durable.WriteFile(c.path(t), text, 0o600)
		}
		if err != nil {
			return fmt.Errorf("close the day %s of %s: %w", t.Day, t.Utility, err)
		}
		done[i] = true
		f := closed{Day: t.Day, Utility: t.Utility, Number: t.Number}
		for _, r := range t.Rows {
			f.Orders = append(f.Orders, r.Order)
		}
		c.desk.Closed = append(c.desk.Closed, f)
	}
	if len(done) == 0 {
		return nil
	}
	var open []takings
	for i, t := range c.desk.Open {
		if !done[i] {
			open = append(open, t)
		}
	}
	c.desk.Open = open
	if n := len(c.desk.Closed) - keepClosed; n > 0 {
		c.desk.Closed = slices.Delete(c.desk.Closed, 0, n)
	}
	return c.save()
}

// settlement writes the file of a day in our own form (docs/settlement-files.md).
// The channel is the terminal.
func settlement(terminal string, t *takings) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#citygrid,1,%s,%s,%s,%s,%d\n", ledger.SalesFile, t.Utility, terminal, t.Day, t.Number)
	w := csv.NewWriter(&b)
	err := w.Write([]string{"order", "kind", "meter_number", "customer", "card", "purchase", "amount", "volume", "undoes", "at", "operator", "terminal"})
	var taken, given schemas.Fen
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Kind == ledger.Refund || r.Kind == ledger.Reversal {
			given += r.Money
		} else {
			taken += r.Money
		}
		volume := ""
		if r.Volume != 0 {
			volume = strconv.FormatInt(r.Volume, 10)
		}
		err = errors.Join(err, w.Write([]string{r.Order, string(r.Kind), r.MeterNumber, string(r.Customer), string(r.Card), strconv.FormatUint(uint64(r.Purchase), 10),
			r.Money.String(), volume, r.Undoes, r.At.In(cardfile.Zone()).Format("2006-01-02T15:04:05.000Z07:00"), r.Operator, terminal}))
	}
	w.Flush()
	if err := errors.Join(err, w.Error()); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "#total,%d,%s,%s,%s\n", len(t.Rows), taken, given, ledger.DigestOf(b.Bytes()))
	return b.Bytes(), nil
}

// dayArgument reads --day; today if it is empty.
func dayArgument(text string, now time.Time) (string, error) {
	if text == "" {
		return dayOf(now), nil
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return "", fmt.Errorf("--day %q: want a day such as 2026-11-21", text)
	}
	return text, nil
}

// plainField reports whether s can stand in a file and name one.
func plainField(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
}
