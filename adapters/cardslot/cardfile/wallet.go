package cardfile

import (
	"cmp"

	"citygrid/schemas"
)

// WalletSize is the length of a wallet file.
const WalletSize = 8

// Wallet is the wallet file of an application (power 02; water and gas 03): the
// purchase that the card carries. The file has no frame and no checksum.
type Wallet struct {
	// Amount is what was bought and not yet taken by the meter, in the unit of the
	// purse; 4 bytes, binary, big-endian.
	Amount schemas.Credit
	// Count is the number of the purchase; 4 bytes. A card that has never carried
	// one has 0.
	Count uint32
}

// DecodeWallet reads a wallet that counts unit.
func DecodeWallet(b []byte, unit schemas.CreditUnit) (Wallet, error) {
	r := newReader("wallet", b, WalletSize)
	w := Wallet{Amount: r.credit(unit), Count: r.binary(4)}
	if r.err != nil {
		return Wallet{}, r.err
	}
	return w, nil
}

// Encode returns the file.
func (x Wallet) Encode() ([]byte, error) {
	w := newWriter("wallet", WalletSize)
	w.credit("amount", x.Amount)
	w.binary("count", 4, x.Count)
	return w.done()
}

// credit reads an amount of 4 bytes.
func (r *reader) credit(unit schemas.CreditUnit) schemas.Credit {
	return schemas.Credit{Value: int64(r.binary(4)), Unit: unit}
}

// credit writes an amount of 4 bytes, in the unit of those before it.
func (w *writer) credit(field string, c schemas.Credit) {
	w.unit = cmp.Or(w.unit, c.Unit)
	if c != (schemas.Credit{}) && c.Unit != w.unit {
		w.fail(field, "%d %s beside amounts in %s; a purse counts one unit", c.Value, c.Unit, w.unit)
	}
	if c.Value < 0 || c.Value > 1<<32-1 {
		w.fail(field, "%d %s; want 0 to %d", c.Value, c.Unit, uint32(1<<32-1))
	}
	w.binary(field, 4, uint32(c.Value))
}
