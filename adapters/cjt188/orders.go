package cjt188

import "errors"

// orders is what is known of the order in which a meter wants identifiers. It
// is kept by group of identifiers, because meters exist that take 1F 90 and
// 81 0A; the settlement readings D120 to D12B are one group.
type orders struct {
	// fixed: the profile says which, and nothing is found out.
	fixed bool
	// likely is the order of the item settled last, and what an unknown one is
	// tried in first.
	likely order
	known  map[uint16]order // by group
	// missed counts the reads in a row that got no answer.
	missed int
}

// newOrders returns what an edition says; 0 says nothing.
func newOrders(edition int) orders {
	o := orders{fixed: edition != 0, known: map[uint16]order{}}
	if edition == 2004 {
		o.likely = highFirst
	}
	return o
}

// group is what identifiers that differ in their last digit have in common.
func group(di uint16) uint16 { return di >> 4 }

// otherEvery: of the reads of a meter that used to answer and is silent, so many
// go by between two that try the other order. The meter may have been changed.
const otherEvery = 4

// of returns the order in which to ask an item, and whether it is sure.
func (o *orders) of(di uint16) (order, bool) {
	if o.fixed {
		return o.likely, true
	}
	known, sure := o.known[group(di)]
	switch {
	case o.missed == 0 && sure:
		return known, true
	case o.missed == 0:
		return o.likely, false
	case !sure && o.missed%2 == 1:
		return o.likely.other(), false
	case !sure:
		return o.likely, false
	case o.missed%otherEvery == otherEvery-1:
		return known.other(), false
	}
	return known, true
}

// settle notes that an item was answered in an order.
func (o *orders) settle(di uint16, in order) {
	o.missed = 0
	if !o.fixed {
		o.known[group(di)], o.likely = in, in
	}
}

// note notes the outcome of a read.
func (o *orders) note(answered bool) {
	if answered {
		o.missed = 0
	} else {
		o.missed++
	}
}

func isOtherOrder(err error) bool {
	var e *otherOrder
	return errors.As(err, &e)
}
