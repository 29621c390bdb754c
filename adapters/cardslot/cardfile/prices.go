package cardfile

// Sizes of the price and step files.
const (
	PriceSize      = 258 // power, files 03 and 04
	StatePriceSize = 199 // the State Grid's, without its MAC
	StepSize       = 106 // water and gas, file 07 and its spare 19
)

// Frame is a price or step file. The sources fix its length and frame but not
// where in it steps and rates stand, so its data are kept and not interpreted:
// the meter alone computes with them.
type Frame struct {
	Command byte
	Data    []byte
}

const (
	priceFile = "power price file"
	stepFile  = "step file"
)

// DecodePrices reads a power price file of PriceSize or StatePriceSize bytes.
func DecodePrices(b []byte) (Frame, error) {
	want := PriceSize
	if len(b) == StatePriceSize {
		want = StatePriceSize
	}
	return decodeFrame(priceFile, b, want, 2)
}

// DecodeSteps reads a step file of water or gas.
func DecodeSteps(b []byte) (Frame, error) { return decodeFrame(stepFile, b, StepSize, 1) }

// decodeFrame takes the frame off; width is the number of bytes of its length.
func decodeFrame(file string, b []byte, size, width int) (Frame, error) {
	r := newReader(file, b, size)
	f := Frame{Command: r.frame(width)}
	if r.err != nil {
		return Frame{}, r.err
	}
	f.Data = append([]byte(nil), r.bytes[r.at:size-2]...)
	return f, nil
}

// EncodePrices returns f as a power price file.
func (f Frame) EncodePrices() ([]byte, error) {
	size := PriceSize
	if len(f.Data) == StatePriceSize-6 {
		size = StatePriceSize
	}
	return f.encode(priceFile, size, 2)
}

// EncodeSteps returns f as a step file.
func (f Frame) EncodeSteps() ([]byte, error) { return f.encode(stepFile, StepSize, 1) }

func (f Frame) encode(file string, size, width int) ([]byte, error) {
	w := newWriter(file, size)
	if want := size - 4 - width; len(f.Data) != want {
		w.fail("data", "%d bytes, want %d", len(f.Data), want)
		return w.done()
	}
	w.begin(f.Command, width, len(f.Data))
	w.keep(f.Data)
	return w.end()
}
