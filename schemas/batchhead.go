package schemas

import (
	"time"

	"citygrid/internal/cbor"
)

// batchHead is what Batch, CardBatch and EventBatch have in common: who sealed it,
// and when. Its keys are the same in all three.
type batchHead struct {
	collector CollectorID
	area      AreaCode
	sealedAt  time.Time
}

func (h batchHead) validate() error {
	if err := h.collector.Validate(); err != nil {
		return err
	}
	if err := h.area.Validate(); err != nil {
		return err
	}
	return validTime("sealed_at", h.sealedAt)
}

// append appends everything before the items, of which there are so many.
func (h batchHead) append(dst []byte, items int) []byte { return h.appendWith(dst, 0, items) }

// appendWith is append for a message with more fields after the items.
func (h batchHead) appendWith(dst []byte, more, items int) []byte {
	dst = cbor.AppendHead(dst, cbor.Map, uint64(batchItems+1+more))
	dst = appendUint(appendUint(dst, keyVersion), formatVersion)
	dst = cbor.AppendText(appendUint(dst, batchCollector), h.collector)
	dst = cbor.AppendText(appendUint(dst, batchArea), h.area)
	dst = appendTime(appendUint(dst, batchSealedAt), h.sealedAt)
	return cbor.AppendHead(appendUint(dst, batchItems), cbor.Array, uint64(items))
}

// head reads what append writes before the items; message is as in VersionError.
func (m *mapReader) head(message string) batchHead {
	m.version(message, "hub")
	return batchHead{
		collector: CollectorID(m.text(batchCollector, maxID)),
		area:      AreaCode(m.text(batchArea, maxAreaCode)),
		sealedAt:  m.time(batchSealedAt),
	}
}
