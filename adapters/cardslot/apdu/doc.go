// Package apdu speaks to a card in command APDUs: it builds the commands that
// prepaid cards know, fetches answers that a T=0 card holds back, and turns
// status words into errors with a meaning.
//
// Commands are short ones in the four cases of ISO/IEC 7816-3 12.1: no data,
// data expected, data sent, both. The commands, their bytes and the status words
// are those of ISO/IEC 7816-4; secure messaging is that of the cards which
// Chinese utilities issue: class 04, and four bytes of MAC behind the data.
//
// Two kinds of error are to be told apart. A *StatusError is an answer: the card
// is there, and StatusError.Refused says whether it has left everything as it
// was. Any other error means that the card did not answer, and nobody knows
// whether it has carried the command out. No command that changes the card is
// ever sent twice.
package apdu
