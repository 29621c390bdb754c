package simulators

import "math/bits"

// mix is the finaliser of splitmix64 over two numbers: a hash good enough that
// neighbouring seeds and steps have nothing in common, and a few nanoseconds.
func mix(a, b uint64) uint64 {
	z := a + 0x9E3779B97F4A7C15*(b+1)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return bits.RotateLeft64(z, 17) ^ z>>31
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// between maps a hash to [low, high).
func between(h uint64, low, high float64) float64 { return low + (high-low)*unit(h) }

// Salts keep the uses of one seed apart.
const (
	saltMean uint64 = iota + 1
	saltSign
	saltShape
	saltShare1
	saltShare2
	saltFactor
	saltRatio
	saltBaseMain
	saltBaseMinor
	saltBaseReactive
	saltBaseOther
	saltWrap
	saltVoltage
	saltCredit
	saltPressure
	saltTemperature
	saltBattery
	saltArea
	saltNoValue
	saltValve
	saltWobble
	saltDead
	saltReset
	saltResetAt
	saltMixture
	saltUnits
	saltFault
	saltCut
	saltMeter
	saltGateway
	saltPrice
	saltPurchases
	saltSwap
	saltSerial
	saltSettlement
	saltGlitch
	saltGlitchBy
	saltRelay
	saltStatus
	saltCurrentRatio
	saltVoltageRatio
	saltEdition
)
