package clearing

import (
	"cmp"
	"fmt"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Exchange is a file, in either direction, with its answer; Answer is nil while
// there is none.
type Exchange struct {
	File   File
	Answer *Answer
}

// Direction is what the files of one direction come to. Sent = Accepted + Refused
// + Pending.
type Direction struct {
	Files                            int
	Sent, Accepted, Refused, Pending Sums
}

// Position is how we stand with one issuer. Only what was accepted is owed.
type Position struct {
	Partner schemas.IssuerID
	// Ours are the files that we sent: our terminals hold the money, and we owe it.
	// Theirs are those that we received.
	Ours, Theirs Direction
	Owe, Owed    schemas.Fen
	// Balance is Owed - Owe: positive if the partner pays us.
	Balance schemas.Fen
}

// Netting is what an issuer owes and is owed. Owe, Owed and Balance are the sums
// of the positions.
type Netting struct {
	Home      schemas.IssuerID
	Positions []Position // by partner
	Owe, Owed schemas.Fen
	Balance   schemas.Fen
}

// Net nets exchanges, which are of home in one of the directions, in any order. A
// file given twice, an order that was sent in two files, or an answer that does not
// match its file is an error.
func Net(home schemas.IssuerID, exchanges []Exchange) (Netting, error) {
	n := netter{home: home, by: make(map[schemas.IssuerID]*Position), files: make(map[Key]bool), orders: make(map[[2]string]Key)}
	for i := range exchanges {
		if err := n.take(&exchanges[i]); err != nil {
			return Netting{}, fmt.Errorf("netting of %s: %w", home, err)
		}
	}
	out := Netting{Home: home}
	for _, p := range n.by {
		p.Owe, p.Owed = p.Ours.Accepted.Net(), p.Theirs.Accepted.Net()
		p.Balance = p.Owed - p.Owe
		out.Positions = append(out.Positions, *p)
		out.Owe += p.Owe
		out.Owed += p.Owed
	}
	out.Balance = out.Owed - out.Owe
	slices.SortFunc(out.Positions, func(a, b Position) int { return cmp.Compare(a.Partner, b.Partner) })
	return out, out.Foot()
}

// netter collects the positions.
type netter struct {
	home   schemas.IssuerID
	by     map[schemas.IssuerID]*Position
	files  map[Key]bool
	orders map[[2]string]Key // by channel and order
}

// take adds one exchange.
func (n *netter) take(x *Exchange) error {
	f := &x.File
	if err := n.first(f); err != nil {
		return err
	}
	d, err := n.direction(f)
	if err != nil {
		return err
	}
	d.Files++
	d.Sent = d.Sent.plus(f.Sums())
	if x.Answer == nil {
		d.Pending = d.Pending.plus(f.Sums())
		return nil
	}
	settled, err := Match(*f, *x.Answer)
	if err != nil {
		return err
	}
	d.Accepted = d.Accepted.plus(sumsOf(settled.Accepted))
	d.Refused = d.Refused.plus(sumsOf(settled.Refused))
	return nil
}

// sumsOf sums details.
func sumsOf(details []ledger.Sale) Sums { return (&File{Details: details}).Sums() }

// first refuses a file or an order that was there before.
func (n *netter) first(f *File) error {
	if n.files[f.Key] {
		return fmt.Errorf("%s is given twice", f.Key)
	}
	n.files[f.Key] = true
	for i := range f.Details {
		id := [2]string{f.Channel(), f.Details[i].Order}
		if other, twice := n.orders[id]; twice {
			return fmt.Errorf("order %s is in %s and in %s; it may be cleared once, have one file refused", id[1], other, f.Key)
		}
		n.orders[id] = f.Key
	}
	return nil
}

// direction returns where f is counted.
func (n *netter) direction(f *File) (*Direction, error) {
	partner := f.To
	switch n.home {
	case f.From:
	case f.To:
		partner = f.From
	default:
		return nil, fmt.Errorf("%s is not ours", f.Key)
	}
	p := n.by[partner]
	if p == nil {
		p = &Position{Partner: partner}
		n.by[partner] = p
	}
	if partner == f.To {
		return &p.Ours, nil
	}
	return &p.Theirs, nil
}

// Foot reports the first sum that does not come out.
func (n *Netting) Foot() error {
	var owe, owed, balance schemas.Fen
	for _, p := range n.Positions {
		for side, d := range map[string]Direction{"sent": p.Ours, "received": p.Theirs} {
			if parts := d.Accepted.plus(d.Refused).plus(d.Pending); parts != d.Sent {
				return fmt.Errorf("netting with %s: %s %+v, but its parts come to %+v", p.Partner, side, d.Sent, parts)
			}
		}
		if p.Owe != p.Ours.Accepted.Net() || p.Owed != p.Theirs.Accepted.Net() || p.Balance != p.Owed-p.Owe {
			return fmt.Errorf("netting with %s: owe %s, owed %s and balance %s do not follow from what was accepted", p.Partner, p.Owe, p.Owed, p.Balance)
		}
		owe, owed, balance = owe+p.Owe, owed+p.Owed, balance+p.Balance
	}
	if owe != n.Owe || owed != n.Owed || balance != n.Balance || balance != owed-owe {
		return fmt.Errorf("netting of %s: owe %s, owed %s, balance %s, but the positions come to %s, %s, %s", n.Home, n.Owe, n.Owed, n.Balance, owe, owed, balance)
	}
	return nil
}
