package peers

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators"
)

// telegrafTypes are Telegraf's names of the register types that it shares with
// our profiles.
var telegrafTypes = map[profiles.Type]string{
	profiles.U16: "UINT16", profiles.I16: "INT16", profiles.U32: "UINT32", profiles.I32: "INT32",
	profiles.U64: "UINT64", profiles.I64: "INT64", profiles.F32: "FLOAT32", profiles.F64: "FLOAT64",
}

// plain are the fields of p that Telegraf can read too: one number in one place,
// scaled afterwards and not rounded. Of one byte order, because Telegraf has one for a device.
func plain(p *profiles.Profile) (fields []profiles.Field, order profiles.Order) {
	for _, f := range p.Fields {
		part := f.Parts[0]
		if len(f.Parts) != 1 || f.States != nil || f.Mask != 0 || part.Places != 0 || telegrafTypes[part.Type] == "" {
			continue
		}
		if order == "" {
			order = part.Order
		}
		if part.Order == order {
			fields = append(fields, f)
		}
	}
	return fields, order
}

// telegrafJob is one run of Telegraf over one line.
type telegrafJob struct {
	line     simulators.Line
	set      *profiles.Set
	interval time.Duration
	timeout  time.Duration
	output   string // a file for the values; empty discards them
}

// config returns Telegraf's configuration for the job: one device a line, all
// of its requests joined as far as Telegraf can.
func (j telegrafJob) config() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "[agent]\n  interval = %q\n  precision = \"1ms\"\n  round_interval = true\n  metric_batch_size = 5000\n  metric_buffer_limit = 500000\n  flush_interval = \"1s\"\n  omit_hostname = true\n", j.interval)
	if j.output == "" {
		b.WriteString("[[outputs.discard]]\n")
	} else {
		fmt.Fprintf(&b, "[[outputs.file]]\n  files = [%q]\n  data_format = \"influx\"\n  influx_uint_support = true\n", j.output)
	}
	b.WriteString("[[inputs.modbus]]\n  name = \"line\"\n")
	if s := j.line.Serial; s == nil {
		fmt.Fprintf(&b, "  controller = \"tcp://%s\"\n", j.line.Address)
	} else {
		fmt.Fprintf(&b, "  controller = \"file://%s\"\n  baud_rate = %d\n  data_bits = 8\n  parity = \"N\"\n  stop_bits = 1\n  transmission_mode = \"RTU\"\n", j.line.Address, s.Baud)
	}
	fmt.Fprintf(&b, "  timeout = %q\n  configuration_type = \"metric\"\n  exclude_register_type_tag = true\n  optimization = \"max_insert\"\n  optimization_max_register_fill = 16\n", j.timeout)
	for _, m := range j.line.Meters {
		p, err := j.set.Get(m.Profile)
		if err != nil {
			return "", err
		}
		fields, order := plain(p)
		fmt.Fprintf(&b, "  [[inputs.modbus.metric]]\n    slave_id = %d\n    byte_order = %q\n    measurement = \"meter\"\n    fields = [\n", m.Unit, order)
		for _, f := range fields {
			part := f.Parts[0]
			register := map[uint8]string{3: "holding", 4: "input"}[part.Function]
			fmt.Fprintf(&b, "      { register=%q, address=%d, name=%q, type=%q },\n", register, part.At, f.Quantity, telegrafTypes[part.Type])
		}
		fmt.Fprintf(&b, "    ]\n    [inputs.modbus.metric.tags]\n      meter = %q\n", m.ID)
	}
	return b.String(), nil
}

// readTelegraf reads the line protocol that Telegraf wrote, as readings. Each
// number is scaled by the meter's profile, exactly.
func readTelegraf(path string, profileOf map[schemas.MeterID]*profiles.Profile) ([]schemas.Reading, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []schemas.Reading
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		readings, err := parseTelegraf(lines.Text(), profileOf)
		if err != nil {
			return nil, fmt.Errorf("output of Telegraf: %q: %w", lines.Text(), err)
		}
		out = append(out, readings...)
	}
	return out, lines.Err()
}

// parseTelegraf reads one line: meter,meter=ID,... field=value,... time. Names
// and values here hold no blanks, commas or quotes.
func parseTelegraf(line string, profileOf map[schemas.MeterID]*profiles.Profile) ([]schemas.Reading, error) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%d parts, want 3", len(parts))
	}
	var meter schemas.MeterID
	for _, tag := range strings.Split(parts[0], ",")[1:] {
		if id, ok := strings.CutPrefix(tag, "meter="); ok {
			meter = schemas.MeterID(id)
		}
	}
	p := profileOf[meter]
	if p == nil {
		return nil, fmt.Errorf("meter %q is not known", meter)
	}
	nanos, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return nil, err
	}
	at := time.Unix(0, nanos).UTC().Truncate(time.Millisecond)
	var out []schemas.Reading
	for pair := range strings.SplitSeq(parts[1], ",") {
		name, text, _ := strings.Cut(pair, "=")
		i := slices.IndexFunc(p.Fields, func(f profiles.Field) bool { return string(f.Quantity) == name })
		if i < 0 {
			return nil, fmt.Errorf("%s is not in profile %s", name, p.ID)
		}
		info, _ := p.Fields[i].Quantity.Info()
		r := schemas.Reading{Meter: meter, Quantity: info.Quantity, Unit: info.Unit, TakenAt: at}
		if r.Value, err = scaled(&p.Fields[i].Parts[0], text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// scaled turns a number as Telegraf writes it into the unit of its quantity.
func scaled(part *profiles.Part, text string) (schemas.Decimal, error) {
	var d schemas.Decimal
	ok := true
	switch part.Type {
	case profiles.F32, profiles.F64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return d, err
		}
		if part.Type == profiles.F32 {
			d, ok = schemas.DecimalFromFloat32(float32(f))
		} else {
			d, ok = schemas.DecimalFromFloat64(f)
		}
	default:
		n, err := strconv.ParseInt(strings.TrimRight(text, "iu"), 10, 64)
		if err != nil {
			return d, err
		}
		d.Mantissa = n
	}
	if ok {
		d, ok = d.Mul(part.Times)
	}
	if ok {
		d, ok = d.Shift(part.Shift)
	}
	if !ok || math.IsInf(d.Float64(), 0) {
		return d, fmt.Errorf("%s has no exact decimal", text)
	}
	return d, nil
}
