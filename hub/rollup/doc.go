// Package rollup adds the consumption of meters up, by unit cell, medium and hour.
//
// The value of a cell is the sum over its meters of what package consumption proves
// for the hour: exact decimals, over swaps and rollovers. Each hour counts from the
// reading that the hour before ended at, so that the hours of any span add up to the
// consumption of the span, whatever gaps there were. What a meter used in a gap
// belongs to the hour in which it answered again; such meters are counted (Carried).
// A meter that proves nothing for an hour is counted as missing and never taken as 0.
//
// An hour is final when it has been counted from the series store, a little after its
// end; it is counted again when readings of it come late. Until then it is kept up
// from the readings as they are stored, and marked.
package rollup
