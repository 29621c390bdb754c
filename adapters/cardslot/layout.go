package cardslot

import (
	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// The card's own folder and its files.
const (
	masterFolder = 0x3F00
	publicSFI    = 0x01
	serialSFI    = 0x19
)

// layout is where an application keeps its files.
type layout struct {
	utility schemas.Medium
	bit     cardfile.Applications
	// order is the file that tells the meter whose card this is and, for water and
	// gas, repeats the purchase: parameter or purchase file.
	order, wallet, back byte
	orderSize, backSize int
	prices              [2]byte // current and spare
	pricesSize          int
}

// layout returns where a has its files; ok is false for what is no application.
func (a Application) layout() (l layout, ok bool) {
	switch a {
	case PowerApplication:
		return layout{
			utility: schemas.Power, bit: cardfile.HasPower, order: 0x01, wallet: 0x02, back: 0x05,
			orderSize: cardfile.ParametersSize, backSize: cardfile.PowerReturnSize,
			prices: [2]byte{0x03, 0x04}, pricesSize: cardfile.PriceSize,
		}, true
	case WaterApplication, GasApplication:
		l := layout{
			utility: schemas.Water, bit: cardfile.HasWater, order: 0x01, wallet: 0x03, back: 0x02,
			orderSize: cardfile.PurchaseSize, backSize: cardfile.UtilityReturnSize,
			prices: [2]byte{0x07, 0x19}, pricesSize: cardfile.StepSize,
		}
		if a == GasApplication {
			l.utility, l.bit = schemas.Gas, cardfile.HasGas
		}
		return l, true
	}
	return layout{}, false
}

// Utility returns what a meters; empty for what is no application.
func (a Application) Utility() schemas.Medium {
	l, _ := a.layout()
	return l.utility
}

// ApplicationOf returns the application of a utility; ok is false for a utility
// that has none.
func ApplicationOf(utility schemas.Medium) (a Application, ok bool) {
	for _, a := range applications() {
		if a.Utility() == utility {
			return a, true
		}
	}
	return 0, false
}

func applications() [3]Application {
	return [...]Application{PowerApplication, WaterApplication, GasApplication}
}
