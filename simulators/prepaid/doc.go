// Package prepaid is the engine of a prepaid meter: it takes cards, keeps the
// purse, charges what is used and opens and closes its valve or relay. The
// simulated meters of the lines show what it holds, and the simulated year and
// the tests of the card slots let cards be put into it.
//
// An engine is pure and deterministic: time and consumption are inputs, and it
// has no randomness, no goroutine and no clock of its own. It shares the schemas
// with what it tests and nothing else.
//
// # Money
//
// A purse counts fen, litres or watt-hours. A purse of money is charged exactly:
// a price is a whole number of ten-thousandths of a yuan for a kilowatt-hour or
// cubic metre, so that a watt-hour or litre costs a whole number of
// hundred-thousandths of a fen. Those are added up. Whenever they make whole fen,
// these are debited, and what is left (State.Rest, less than one fen) is carried
// on, over steps, tariffs and purchases: nothing is ever rounded. At every moment
//
//	Bought + Transferred = Charged + Residual - Overdraft
//
// and Charged fen and Rest hundred-thousandths together are exactly the price of
// Used.
package prepaid
