package cardslot

import (
	"context"
	"errors"
	"fmt"

	"citygrid/adapters/cardslot/apdu"
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// Profile is what a terminal must know of a city's cards, because they do not say
// it themselves.
type Profile struct {
	// Water and Gas are what those purses count: schemas.CreditFen if empty, or
	// schemas.CreditLitre. Power purses count fen.
	Water, Gas schemas.CreditUnit
	// Source is what entries say of their way: schemas.FromReader if empty.
	Source schemas.CardSource
}

// unit returns what the purse of a counts.
func (p Profile) unit(a Application) schemas.CreditUnit {
	unit := schemas.CreditFen
	switch a {
	case WaterApplication:
		unit = p.Water
	case GasApplication:
		unit = p.Gas
	}
	if unit == "" {
		return schemas.CreditFen
	}
	return unit
}

func (p Profile) source() schemas.CardSource {
	if p.Source == "" {
		return schemas.FromReader
	}
	return p.Source
}

// Contents is what a card holds.
type Contents struct {
	Card schemas.CardID
	// Issuer is who issued the card: of another city, perhaps.
	Issuer schemas.IssuerID
	Public cardfile.Public
	// Purses are the applications that are on the card, in the order power, water,
	// gas.
	Purses []Purse

	source schemas.CardSource
}

// Purse is one application of a card.
type Purse struct {
	Application Application
	Meter       cardfile.Number
	Customer    cardfile.Number
	Type        cardfile.CardType
	// Wallet is the purchase that the card carries, or the last one that it
	// carried: see Unloaded.
	Wallet cardfile.Wallet
	// Power is set for power, Purchase for water and gas.
	Power    *cardfile.Parameters
	Purchase *cardfile.Purchase
	// PowerReturn or Return is what the meter wrote back, nil if it never did.
	PowerReturn *cardfile.PowerReturn
	Return      *cardfile.UtilityReturn
	// Current and Spare are the price or step files, nil if blank or absent.
	Current, Spare *cardfile.Frame
	// Problems says which files could not be understood; their fields are nil or
	// zero. A card torn while one of its files was written shows that here.
	Problems []error

	image image
}

// image is the files that a sale writes, as they are.
type image struct{ order, wallet []byte }

// Returned is the number of the last purchase that the meter wrote back as taken,
// 0 if it wrote nothing back.
func (p *Purse) Returned() uint32 {
	switch {
	case p.PowerReturn != nil:
		return p.PowerReturn.Count
	case p.Return != nil:
		return uint32(p.Return.Count)
	}
	return 0
}

// writer says who wrote the return file; ok is false where nobody did.
func (p *Purse) writer() (meter, customer cardfile.Number, ok bool) {
	switch {
	case p.PowerReturn != nil:
		return p.PowerReturn.Meter, p.PowerReturn.Customer, true
	case p.Return != nil:
		return p.Return.Meter, p.Return.Customer, true
	}
	return 0, 0, false
}

// seen reports whether a meter has written back.
func (p *Purse) seen() bool { return p.PowerReturn != nil || p.Return != nil }

// Unloaded reports whether the card carries a purchase that, as far as the card
// knows, no meter has taken: its number is beyond what was written back, and a
// meter that empties wallets has not emptied it.
func (p *Purse) Unloaded() bool {
	return p.Wallet.Amount.Value > 0 && p.Wallet.Count > p.Returned()
}

// Purse returns the application's purse; nil if the card has none.
func (c *Contents) Purse(a Application) *Purse {
	for i := range c.Purses {
		if c.Purses[i].Application == a {
			return &c.Purses[i]
		}
	}
	return nil
}

// Foreign reports whether the card was issued in another city than home's.
func (c *Contents) Foreign(home schemas.IssuerID) bool { return c.Issuer.City() != home.City() }

// Read reads the serial number, the public file and the files of all
// applications that are on the card. It needs no keys. A file of an application
// that cannot be understood is told in Purse.Problems and does not hide the
// others; a card that does not answer, has no serial or no public file is an
// error.
func Read(ctx context.Context, card Card, profile Profile) (Contents, error) {
	c, err := identify(ctx, card)
	if err != nil {
		return Contents{}, err
	}
	c.source = profile.source()
	for _, a := range applications() {
		l, _ := a.layout()
		if c.Public.Applications&l.bit == 0 {
			continue
		}
		p, err := readPurse(ctx, card, a, profile.unit(a))
		if err == nil {
			err = p.readPrices(ctx, card, l)
		}
		if err != nil {
			return Contents{}, fmt.Errorf("read %s of card %s: %w", l.utility, c.Card, err)
		}
		c.Purses = append(c.Purses, p)
	}
	return c, nil
}

// identify reads which card it is and who issued it.
func identify(ctx context.Context, card Card) (Contents, error) {
	var c Contents
	if err := apdu.Select(ctx, card, masterFolder); err != nil {
		return c, fmt.Errorf("read card: %w", err)
	}
	b, err := apdu.ReadBinary(ctx, card, serialSFI, cardfile.SerialOffset, cardfile.SerialSize)
	if err != nil {
		return c, fmt.Errorf("read serial number of card: %w", err)
	}
	serial, err := cardfile.DecodeSerial(b)
	if err != nil {
		return c, fmt.Errorf("read serial number of card: %w", err)
	}
	c.Card = serial.ID()
	if b, err = apdu.ReadBinary(ctx, card, publicSFI, 0, cardfile.PublicSize); err == nil {
		c.Public, err = cardfile.DecodePublic(b)
	}
	if err != nil {
		return c, fmt.Errorf("read public file of card %s: %w", c.Card, err)
	}
	if c.Public.Serial != serial {
		return c, refuse(c.Card, "its public file is that of card %s: a copy, or wrongly issued; keep the card and report it", c.Public.Serial.ID())
	}
	c.Issuer = c.Public.Issuer
	return c, nil
}

// readPurse selects an application and reads its files except the prices. Errors
// are those of the exchange; what cannot be understood goes to Problems.
func readPurse(ctx context.Context, card Card, a Application, unit schemas.CreditUnit) (Purse, error) {
	l, _ := a.layout()
	p := Purse{Application: a}
	if err := apdu.Select(ctx, card, uint16(a)); err != nil {
		return p, err
	}
	var err error
	if p.image, err = readImage(ctx, card, l); err != nil {
		return p, err
	}
	back, err := apdu.ReadBinary(ctx, card, l.back, 0, l.backSize)
	if err != nil {
		return p, err
	}
	p.Wallet, err = decodeWallet(p.image.wallet, unit)
	p.problem(err)
	if a == PowerApplication {
		p.decodePower(back)
	} else {
		p.decodeUtility(back, unit)
	}
	return p, nil
}

// decodeWallet reads a wallet. One that was never written has carried nothing.
func decodeWallet(file []byte, unit schemas.CreditUnit) (cardfile.Wallet, error) {
	if cardfile.Blank(file) {
		return cardfile.Wallet{Amount: schemas.Credit{Unit: unit}}, nil
	}
	return cardfile.DecodeWallet(file, unit)
}

// readImage reads what a sale writes; the application is the current folder.
func readImage(ctx context.Context, card Card, l layout) (i image, err error) {
	if i.order, err = apdu.ReadBinary(ctx, card, l.order, 0, l.orderSize); err != nil {
		return i, err
	}
	i.wallet, err = apdu.ReadBinary(ctx, card, l.wallet, 0, cardfile.WalletSize)
	return i, err
}

func (p *Purse) problem(err error) {
	if err != nil {
		p.Problems = append(p.Problems, err)
	}
}

func (p *Purse) decodePower(back []byte) {
	if !cardfile.Blank(p.image.order) {
		x, err := cardfile.DecodeParameters(p.image.order)
		if p.problem(err); err == nil {
			p.Power, p.Meter, p.Customer, p.Type = &x, x.Meter, x.Customer, x.Type
		}
	}
	if !cardfile.Blank(back) {
		x, err := cardfile.DecodePowerReturn(back)
		if p.problem(err); err == nil {
			p.PowerReturn = &x
		}
	}
}

func (p *Purse) decodeUtility(back []byte, unit schemas.CreditUnit) {
	if !cardfile.Blank(p.image.order) {
		x, err := cardfile.DecodePurchase(p.image.order, unit)
		if p.problem(err); err == nil {
			p.Purchase, p.Meter, p.Customer, p.Type = &x, x.Meter, x.Customer, x.Type
		}
	}
	if !cardfile.Blank(back) {
		x, err := cardfile.DecodeUtilityReturn(back, unit)
		if p.problem(err); err == nil {
			p.Return = &x
		}
	}
}

// readPrices reads the price or step files, which not every card has.
func (p *Purse) readPrices(ctx context.Context, card Card, l layout) error {
	decode := cardfile.DecodeSteps
	if p.Application == PowerApplication {
		decode = cardfile.DecodePrices
	}
	for i, dst := range []**cardfile.Frame{&p.Current, &p.Spare} {
		b, err := apdu.ReadBinary(ctx, card, l.prices[i], 0, l.pricesSize)
		if errors.Is(err, apdu.ErrFileNotFound) {
			continue
		}
		if errors.Is(err, apdu.ErrShortFile) { // another edition of the file
			p.problem(err)
			continue
		}
		if err != nil {
			return err
		}
		if cardfile.Blank(b) {
			continue
		}
		f, err := decode(b)
		if p.problem(err); err == nil {
			*dst = &f
		}
	}
	return nil
}
