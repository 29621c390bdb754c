package sts

import (
	"fmt"
	"strconv"
	"time"

	"citygrid/schemas"
)

// TID is a token identifier: the minutes since a base date, in 24 bits. A meter
// keeps a list of those that it took and takes none twice; they may come in any
// order.
type TID uint32

// maxTID is the last one of a base date; then meters need new keys.
const maxTID = 1<<24 - 1

// Base is the year whose January 1st, 00:00 UTC, TIDs count from. It goes with
// the meter's key.
type Base int

// The base dates in use [STS Association].
const (
	Base1993 Base = 1993 // rolled over on 2024-11-24 at 20:15
	Base2014 Base = 2014 // until 2045-11-24 at 20:15
	Base2035 Base = 2035
)

// Bases lists the base dates, the oldest first.
func Bases() []Base { return []Base{Base1993, Base2014, Base2035} }

// ParseBase reads the year of a base date.
func ParseBase(s string) (Base, error) {
	for _, b := range Bases() {
		if s == strconv.Itoa(int(b)) {
			return b, nil
		}
	}
	return 0, fmt.Errorf("base date %q: want one of %d", s, Bases())
}

// End returns the last minute that a TID of b can name.
func (b Base) End() time.Time { return TID(maxTID).Time(b) }

func (b Base) start() time.Time { return time.Date(int(b), time.January, 1, 0, 0, 0, 0, time.UTC) }

// Time returns when the token was made, UTC, whole minutes.
func (t TID) Time(b Base) time.Time { return b.start().Add(time.Duration(t) * time.Minute) }

// TIDAt returns the identifier of a token that is made at a moment. A moment
// before the base date or after its last minute is an error.
func TIDAt(at time.Time, b Base) (TID, error) {
	minutes := int64(at.Sub(b.start()) / time.Minute)
	if at.Before(b.start()) || minutes > maxTID {
		return 0, fmt.Errorf("token identifier of %s: outside base date %d, which ends at %s; the meter's key needs another base date",
			at.UTC().Format(time.RFC3339), b, TID(maxTID).Time(b).Format(time.RFC3339))
	}
	return TID(minutes), nil
}

// Ref returns the purchase reference under which the books know the token.
func (t TID) Ref() schemas.PurchaseRef {
	return schemas.PurchaseRef{Scheme: schemas.ByTID, Number: uint32(t)}
}

// String writes the TID as settlement files name the purchase: "tid:" and the
// number.
func (t TID) String() string { return "tid:" + strconv.FormatUint(uint64(t), 10) }
