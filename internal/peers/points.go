package peers

import (
	"encoding/json"
	"fmt"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const (
	storingMeters = 2000
	// perMessage is how many readings a collector seals at once.
	perMessage = 100
	// storingCollectors share the meters, and the settlements of the hub with them.
	storingCollectors = 20
	storingArea       = schemas.AreaCode("310115")
)

// storingQuantities are those of a three-phase meter that a city reads most.
var storingQuantities = [...]schemas.Quantity{
	"power.energy.import", "power.active", "power.voltage.l1", "power.current.l1", "power.frequency",
}

// plannedReadings are the points of the comparison, the same for every program:
// each step reads every meter once, collector after collector.
type plannedReadings struct {
	start time.Time
	units [len(storingQuantities)]schemas.Unit
}

func planReadings(start time.Time) (p plannedReadings, err error) {
	p.start = start.UTC().Truncate(time.Second)
	for i, q := range storingQuantities {
		info, ok := q.Info()
		if !ok {
			return p, fmt.Errorf("quantity %s is not in the table", q)
		}
		p.units[i] = info.Unit
	}
	return p, nil
}

// at returns the reading of that number.
func (p plannedReadings) at(n int) schemas.Reading {
	q, row := n%len(storingQuantities), n/len(storingQuantities)
	meter, step := row%storingMeters, row/storingMeters
	return schemas.Reading{
		Meter: schemas.MeterID(fmt.Sprintf("P-%06d", meter)), Quantity: storingQuantities[q], Unit: p.units[q],
		Value:   schemas.Decimal{Mantissa: int64(1_000_000 + 7*meter + 13*step + 1000*q), Exponent: -2},
		TakenAt: p.start.Add(time.Duration(step)*time.Second + time.Duration(meter%1000)*time.Millisecond),
	}
}

// batch returns count readings from the one of number first on.
func (p plannedReadings) batch(first, count int) []schemas.Reading {
	out := make([]schemas.Reading, count)
	for i := range out {
		out[i] = p.at(first + i)
	}
	return out
}

// collectorOf names the collector of batch n: neighbouring batches are of
// different meters, and a collector's meters are the same in every step.
func collectorOf(batch int) schemas.CollectorID {
	const batchesAStep = storingMeters * len(storingQuantities) / perMessage
	return schemas.CollectorID(fmt.Sprintf("c-%02d", batch%batchesAStep*storingCollectors/batchesAStep))
}

// message is one MQTT message of the comparison.
type message struct {
	topic   string
	payload []byte
}

// benchTopic carries what Telegraf reads.
const benchTopic = "bench/points"

// packing says how readings become messages.
type packing struct {
	// points is how many readings one message has.
	points int
	pack   func(first int, readings []schemas.Reading) (message, error)
}

// messages packs count readings.
func (p packing) messages(plan plannedReadings, count int) (out []message, err error) {
	for first := 0; first < count; first += p.points {
		m, err := p.pack(first, plan.batch(first, min(p.points, count-first)))
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// linesOf packs readings as the line protocol, as they will stand in the store.
func linesOf(_ int, readings []schemas.Reading) (message, error) {
	var lines []byte
	for _, r := range readings {
		lines = store.AppendLine(lines, r)
	}
	return message{benchTopic, lines}, nil
}

// jsonReading is one point as JSON with its own names.
type jsonReading struct {
	Meter    string  `json:"meter"`
	Quantity string  `json:"quantity"`
	Exponent int8    `json:"exponent"`
	Mantissa int64   `json:"mantissa"`
	Quality  uint8   `json:"quality"`
	Value    float64 `json:"value"`
	Time     int64   `json:"time"`
}

// jsonOf packs one reading as JSON.
func jsonOf(_ int, readings []schemas.Reading) (message, error) {
	r := readings[0]
	data, err := json.Marshal(jsonReading{string(r.Meter), string(r.Quantity), r.Value.Exponent, r.Value.Mantissa,
		uint8(r.Quality), r.Value.Float64(), r.TakenAt.UnixMilli()})
	return message{benchTopic, data}, err
}

// sealing packs readings as collectors do: batches in envelopes, one session a
// collector.
type sealing struct {
	provider seal.Provider
	master   *seal.Master
	tenant   string
	// generations are the keys in force, of every collector that is enrolled.
	generations map[schemas.CollectorID]uint16
	sealers     map[schemas.CollectorID]*seal.Sealer
}

func (s *sealing) pack(first int, readings []schemas.Reading) (message, error) {
	id := collectorOf(first / perMessage)
	plain, err := schemas.EncodeBatch(nil, &schemas.Batch{
		Collector: id, Area: storingArea, SealedAt: readings[len(readings)-1].TakenAt, Readings: readings,
	})
	if err != nil {
		return message{}, err
	}
	sealer, err := s.sealer(id)
	if err != nil {
		return message{}, err
	}
	envelope, _, err := sealer.Seal(nil, plain)
	return message{schemas.Topic{Area: storingArea, Collector: id, Stream: schemas.Readings}.String(), envelope}, err
}

func (s *sealing) sealer(id schemas.CollectorID) (*seal.Sealer, error) {
	if known := s.sealers[id]; known != nil {
		return known, nil
	}
	generation := s.generations[id]
	key, err := s.master.CollectorKey(s.provider, generation, string(id))
	if err != nil {
		return nil, err
	}
	sealer, err := seal.NewSealer(seal.SealerConfig{
		Provider: s.provider, Key: key, Tenant: s.tenant, Collector: string(id), Generation: generation,
		Role: seal.Up, ContentType: seal.Readings, Context: seal.Context{Boot: 1, Random: [8]byte{1}},
	})
	if err != nil {
		return nil, err
	}
	s.sealers[id] = sealer
	return sealer, nil
}
