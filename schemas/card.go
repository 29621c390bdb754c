package schemas

import (
	"time"
)

// CardID names a prepaid card by the serial number of its chip: 16 upper-case
// hexadecimal digits [metering: card serial of 8 bytes].
type CardID string

// CustomerID is the customer's number (户号) at the utility: 1 to 32 of
// [0-9A-Za-z_-].
type CustomerID string

// IssuerID says who issued a card: 8 digits, the city's first four digits of
// GB/T 2260 and the issuer's number in that city. A card of another city is
// known by it.
type IssuerID string

// City returns the four digits of the city.
func (i IssuerID) City() string { return string(i[:min(4, len(i))]) }

// CreditUnit is what a prepaid purse counts.
type CreditUnit string

// The units of credit. A purse of money counts fen, one of volume litres, one of
// energy watt-hours.
const (
	CreditFen   CreditUnit = "fen"
	CreditLitre CreditUnit = "L"
	CreditWh    CreditUnit = "Wh"
)

// Credit is an exact amount of what a purse counts. The zero Credit, without a
// unit, means "not known".
type Credit struct {
	Value int64
	Unit  CreditUnit
}

// Known reports whether c says anything.
func (c Credit) Known() bool { return c.Unit != "" }

// PurchaseScheme says what numbers the purchases of a meter.
type PurchaseScheme string

// The schemes.
const (
	// BySequence: the purchase counter of card and meter, which rises by one
	// with each purchase of an installation, from 1.
	BySequence PurchaseScheme = "seq"
	// ByTID: the token identifier of an STS token, the minutes since a base date
	// [IEC 62055-41]. Tokens may be loaded in any order.
	ByTID PurchaseScheme = "tid"
)

// PurchaseRef names one purchase of one installation. The zero PurchaseRef names
// none: no purchase yet, or not known.
type PurchaseRef struct {
	Scheme PurchaseScheme
	Number uint32
}

// CardEvent is what a CardEntry tells.
type CardEvent string

// The card events. They are a closed list: a decoder refuses any other.
const (
	// CardSale: a terminal wrote a purchase on the card and read it back. Amount
	// is what was bought, Purchase its number.
	CardSale CardEvent = "sale"
	// CardClear: a terminal took an unloaded purchase off the card again and read
	// that back (冲正, 退费). Purchase is the number that was taken off, Amount
	// what it was.
	CardClear CardEvent = "clear"
	// CardIssue: a terminal issued the card to the customer: the first one or a
	// replacement (补卡), which Replaces names.
	CardIssue CardEvent = "issue"
	// CardLoad: the meter took a purchase: its own purchase record, or what its
	// slot showed. Purchase and Amount are the meter's; RecordedAt is when, by
	// the meter's clock.
	CardLoad CardEvent = "load"
	// CardRefusal: the meter refused the card; Fault says why.
	CardRefusal CardEvent = "refusal"
	// CardReturn: the return file of the card, read at a terminal: the meter's
	// purse as the meter wrote it back at RecordedAt.
	CardReturn CardEvent = "return"
	// CardState: the meter's purse as read over its line at TakenAt.
	CardState CardEvent = "state"
)

// CardSource says by which way an entry came.
type CardSource string

// The sources. They are a closed list.
const (
	FromReader CardSource = "reader" // a PC/SC card reader
	FromModbus CardSource = "modbus" // the meter's slot, over Modbus
	FromDLT645 CardSource = "dlt645" // the meter's records, over DL/T 645
	FromCJT188 CardSource = "cjt188" // the meter's records, over CJ/T 188
	FromMemory CardSource = "memory" // a card in the same process: simulation and tests
)

// CardCounter names a counter of a card or meter that an entry may carry.
type CardCounter string

// The counters. They are a closed list.
const (
	IllegalCards CardCounter = "illegal_cards" // cards that the meter refused as not authentic
	Pulses       CardCounter = "pulses"        // pulses counted, whole life
	StatusWord   CardCounter = "status_word"   // the meter's status word, as it is
)

// CardEntry is one thing that a prepaid card, its meter or its terminal
// recorded. It is a fact and never changes; two sources may tell of the same
// load, and the ledger joins them by meter, installation and purchase.
type CardEntry struct {
	Event   CardEvent
	Source  CardSource
	Utility Medium // Water, Power or Gas
	// Meter is the place in the asset register; MeterNumber the number on the
	// meter's plate, as card and meter carry it (12 digits). At a terminal only
	// the number is known, and Meter is empty.
	Meter       MeterID
	MeterNumber string
	// InstalledAt is the start (From) of the meter's installation record, which
	// together with Meter names the installation; zero where it is not known.
	InstalledAt time.Time
	// Issuer, Card and Customer are empty where the source does not know them: a
	// meter's purchase record names no card.
	Issuer   IssuerID
	Card     CardID
	Replaces CardID // the card that this one stands in for, for CardIssue
	Customer CustomerID
	// Purchase is the purchase that the entry is about; for CardReturn and
	// CardState the last one that the meter took.
	Purchase PurchaseRef
	// PurchaseModulus is where the meter's count begins anew, so that Purchase is
	// its number modulo that, with the modulus itself for 0 after a round; 0: the
	// number is absolute. Only with BySequence. The ledger finds the number.
	PurchaseModulus uint32
	// Amount is what was bought or loaded; not known for states.
	Amount Credit
	// Residual is the credit left in the meter, Overdraft what the customer owes
	// it, Bought and Used the sums over the meter's life in this installation,
	// all after what the entry tells. Used may be a volume or energy although the
	// purse counts fen.
	Residual, Overdraft, Bought, Used Credit
	Counters                          map[CardCounter]uint32
	// Fault is the meter's reason for a refusal; 0 for other events.
	Fault CardFault
	// Terminal is the point of sale, or the collector's slot.
	Terminal string
	// TakenAt is when the source was read, by the reader's clock; RecordedAt what
	// the meter's or the card's own clock says, zero where it says nothing. Both
	// UTC, whole milliseconds.
	TakenAt, RecordedAt time.Time
}

// CardBatch is what a collector seals at once on the cards stream: up to
// MaxCardEntries entries in the order in which they were taken.
type CardBatch struct {
	Collector CollectorID
	Area      AreaCode
	SealedAt  time.Time // like Batch.SealedAt
	Entries   []CardEntry
}

// MaxCardEntries bounds a CardBatch.
const MaxCardEntries = 64

// CardFault is a meter's reason to refuse a card, as its display codes number
// them (err 01 to 21).
type CardFault uint8

// The faults, in the order in which meters number them.
const (
	FaultNone         CardFault = 0
	FaultLowVoltage   CardFault = 1  // supply below 80 % of nominal
	FaultESAM         CardFault = 2  // the security module does not answer
	FaultESAMAuth     CardFault = 3  // the security module refuses
	FaultReset        CardFault = 4  // no answer to reset: card the wrong way round, or metal
	FaultAuth         CardFault = 5  // internal authentication
	FaultExternalAuth CardFault = 6  // external authentication
	FaultNotIssued    CardFault = 7  // card not issued
	FaultType         CardFault = 8  // unknown card type
	FaultKeyState     CardFault = 9  // key state of card and meter differ
	FaultMAC          CardFault = 10 // MAC wrong
	FaultMeterNumber  CardFault = 11 // card of another meter
	FaultCustomer     CardFault = 12 // card of another customer
	FaultSerial       CardFault = 13 // not the card that is bound to the meter
	FaultFormat       CardFault = 14 // file format
	FaultNotOpened    CardFault = 15 // purchase card, but the account is not open
	FaultNotOpenedNew CardFault = 16 // replacement card, but the account is not open
	FaultCount        CardFault = 17 // purchase count: a purchase lies between
	FaultReturnFile   CardFault = 18 // return file not empty on a fresh card
	FaultIO           CardFault = 19 // reading or writing the card
	FaultEarlyRemoval CardFault = 20 // card pulled too early
	FaultHoard        CardFault = 21 // above the hoard limit
)
