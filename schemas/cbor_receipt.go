package schemas

import (
	"fmt"
	"math"

	"citygrid/internal/cbor"
)

const (
	receiptCollector = iota + 1
	receiptBoot
	receiptRandom
	receiptStored
)

var receiptFields = fieldTable{keyVersion: "format", receiptCollector: "collector", receiptBoot: "boot",
	receiptRandom: "random", receiptStored: "stored"}

// EncodeReceipt appends the wire form of r to dst and returns the longer
// slice. It refuses a receipt that Validate refuses and then returns dst
// unchanged.
func EncodeReceipt(dst []byte, r *Receipt) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return dst, fmt.Errorf("encode receipt: %w", err)
	}
	dst = cbor.AppendHead(dst, cbor.Map, uint64(len(receiptFields)))
	dst = appendUint(appendUint(dst, keyVersion), formatVersion)
	dst = cbor.AppendText(appendUint(dst, receiptCollector), r.Collector)
	dst = appendUint(appendUint(dst, receiptBoot), uint64(r.Boot))
	dst = cbor.AppendHead(appendUint(dst, receiptRandom), cbor.Bytes, uint64(len(r.Random)))
	dst = append(dst, r.Random[:]...)
	dst = cbor.AppendHead(appendUint(dst, receiptStored), cbor.Array, uint64(len(r.Stored)))
	for _, s := range r.Stored {
		dst = cbor.AppendHead(dst, cbor.Array, 2)
		dst = appendUint(appendUint(dst, uint64(s.From)), uint64(s.To))
	}
	return dst, nil
}

// DecodeReceipt reads what EncodeReceipt writes and nothing else, with the
// promises of DecodeBatch.
func DecodeReceipt(data []byte) (*Receipt, error) {
	r, err := decodeReceipt(&decoder{cbor.Reader{Data: data}})
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode receipt: %w", err)
	}
	return r, nil
}

func decodeReceipt(d *decoder) (*Receipt, error) {
	m := d.openMap(receiptFields)
	m.version("receipt", "collector")
	r := &Receipt{
		Collector: CollectorID(m.text(receiptCollector, maxID)),
		Boot:      m.uint32(receiptBoot),
	}
	if m.need(receiptRandom) {
		s, err := d.bytes(cbor.Bytes, len(r.Random))
		if err == nil && copy(r.Random[:], s) < len(r.Random) {
			err = fmt.Errorf("%d bytes, want %d", len(s), len(r.Random))
		}
		m.fail(receiptRandom, err)
	}
	n := m.array(receiptStored, MaxSeqRanges)
	r.Stored = make([]SeqRange, 0, n)
	for i := 0; i < n && m.err == nil; i++ {
		s, err := d.seqRange()
		if err != nil {
			m.err = &FieldError{Field: fmt.Sprintf("stored[%d]", i), Problem: err.Error()}
		}
		r.Stored = append(r.Stored, s)
	}
	return r, m.finish()
}

func (d *decoder) seqRange() (SeqRange, error) {
	n, err := d.array(2)
	if err != nil {
		return SeqRange{}, err
	}
	if n != 2 {
		return SeqRange{}, fmt.Errorf("%d elements, want from and to", n)
	}
	var ends [2]uint32
	for i := range ends {
		arg, err := d.want(cbor.Uint)
		if err != nil {
			return SeqRange{}, err
		}
		if arg > math.MaxUint32 {
			return SeqRange{}, fmt.Errorf("%d, want at most %d", arg, uint32(math.MaxUint32))
		}
		ends[i] = uint32(arg)
	}
	return SeqRange{From: ends[0], To: ends[1]}, nil
}
