package store

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"citygrid/schemas"
)

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// good is a well-formed reading of water.flow.
func good(meter string, mantissa int64, exponent int8, ms int64) schemas.Reading {
	return schemas.Reading{
		Meter: schemas.MeterID(meter), Quantity: "water.flow", Unit: "m3/h",
		Value: schemas.Decimal{Mantissa: mantissa, Exponent: exponent}, TakenAt: at(ms),
	}
}

func TestAppendLine(t *testing.T) {
	missing := good("M-1", 0, 0, 1700000000000)
	missing.Quality, missing.Reason = schemas.Missing, schemas.ReasonNaN
	suspect := good("M-1", 564860, -3, 1700000000001)
	suspect.Quality, suspect.Reason = schemas.Suspect, schemas.ReasonRange
	freeze := good("M-1", 5, 0, 1700000000000)
	freeze.Origin = schemas.DailyFreeze
	odd := good(`水 表,1=a\`, 3, 2, 5)
	odd.Quality, odd.Reason = schemas.Suspect, "a \"b\" \\c\nd"

	tests := []struct {
		name string
		r    schemas.Reading
		want string
	}{
		{"good", good("M-1", -56486, -2, 1700000000000), "reading,meter=M-1,quantity=water.flow exponent=-2i,mantissa=-56486i,quality=0i,value=-564.86 1700000000000\n"},
		{"suspect", suspect, "reading,meter=M-1,quantity=water.flow exponent=-3i,mantissa=564860i,quality=1i,reason=\"range\",value=564.860 1700000000001\n"},
		{"missing", missing, "reading,meter=M-1,quantity=water.flow quality=2i,reason=\"nan\" 1700000000000\n"},
		{"freeze", freeze, "reading,meter=M-1,origin=daily_freeze,quantity=water.flow exponent=0i,mantissa=5i,quality=0i,value=5 1700000000000\n"},
		{"escapes", odd, "reading,meter=水\\ 表\\,1\\=a\\,quantity=water.flow exponent=2i,mantissa=3i,quality=1i,reason=\"a \\\"b\\\" \\\\c\nd\",value=300 5\n"},
		{"lowest", good("a", math.MinInt64, -18, 1), "reading,meter=a,quantity=water.flow exponent=-18i,mantissa=-9223372036854775808i,quality=0i,value=-9.223372036854775808 1\n"},
		{"highest", good("a", math.MaxInt64, 18, 1), "reading,meter=a,quantity=water.flow exponent=18i,mantissa=9223372036854775807i,quality=0i,value=9223372036854775807000000000000000000 1\n"},
		{"small", good("a", -1, -18, 1), "reading,meter=a,quantity=water.flow exponent=-18i,mantissa=-1i,quality=0i,value=-0.000000000000000001 1\n"},
		{"zero", good("a", 0, 18, 1), "reading,meter=a,quantity=water.flow exponent=18i,mantissa=0i,quality=0i,value=0 1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendLine([]byte("x"), tt.r)); got != "x"+tt.want {
				t.Errorf("got  %swant x%s", got, tt.want)
			}
		})
	}
}

func TestAppendLineAllocatesNothing(t *testing.T) {
	r := good("M-000001", math.MinInt64, -9, 1700000000000)
	r.Quality, r.Reason = schemas.Suspect, schemas.ReasonRange
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = AppendLine(buf[:0], r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// clientLine is the same point by the client's own encoder.
func clientLine(r schemas.Reading) string {
	fields := map[string]any{"quality": int64(r.Quality)}
	if r.HasValue() {
		fields["mantissa"], fields["exponent"] = r.Value.Mantissa, int64(r.Value.Exponent)
		fields["value"] = r.Value.Float64()
	}
	if r.Reason != "" && r.Quality != schemas.Good {
		fields["reason"] = string(r.Reason)
	}
	tags := map[string]string{"meter": string(r.Meter), "quantity": string(r.Quantity)}
	if r.Origin != schemas.Live {
		tags["origin"] = string(r.Origin)
	}
	return write.PointToLineProtocol(write.NewPoint(measurement, tags, fields, r.TakenAt), time.Millisecond)
}

// splitValue cuts out the value, which the two encoders may spell differently.
func splitValue(t *testing.T, r schemas.Reading, line string) (rest string, value float64) {
	t.Helper()
	if !r.HasValue() {
		return line, 0
	}
	i := strings.LastIndex(line, "value=")
	number, end, _ := strings.Cut(line[i+len("value="):], " ")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return line[:i] + " " + end, f
}

func FuzzAppendLine(f *testing.F) {
	f.Add("M-1", "water.flow", "nan", int64(-5), int8(3), uint8(0), int64(1700000000000))
	f.Add("水 表,=\\", "a\nb", "\"\\\n", int64(math.MinInt64), int8(-18), uint8(1), int64(0))
	f.Add("x", "y", "", int64(math.MaxInt64), int8(18), uint8(2), int64(-1))
	f.Fuzz(func(t *testing.T, meter, quantity, reason string, mantissa int64, exponent int8, quality uint8, ms int64) {
		r := schemas.Reading{
			Meter: schemas.MeterID(meter), Quantity: schemas.Quantity(quantity), Reason: schemas.Reason(reason),
			Value: schemas.Decimal{Mantissa: mantissa, Exponent: exponent}, Quality: schemas.Quality(quality), TakenAt: at(ms),
		}
		line := string(AppendLine(nil, r))
		quoted := 0 // line ends within the quotes of the reason are data
		if r.Quality != schemas.Good {
			quoted = strings.Count(reason, "\n")
		}
		if strings.Count(line, "\n") != 1+quoted || !strings.HasSuffix(line, "\n") {
			t.Fatalf("not one line: %q", line)
		}
		// The rest holds for what the client can encode: no empty tag, valid
		// UTF-8, no backslash at the end of a tag (it drops those), no control
		// characters in a tag (it spells them otherwise), times in nanoseconds.
		if meter == "" || quantity == "" || strings.ContainsAny(meter+quantity, "\n\r\t") || strings.HasSuffix(meter, `\`) || strings.HasSuffix(quantity, `\`) ||
			!utf8.ValidString(meter+"|"+quantity+"|"+reason) || r.Value.Validate() != nil || ms < -1<<42 || ms > 1<<42 {
			t.Skip()
		}
		rest, value := splitValue(t, r, line)
		theirs, theirValue := splitValue(t, r, clientLine(r))
		if rest != theirs || value != theirValue {
			t.Errorf("we     %q\nclient %q", line, clientLine(r))
		}
	})
}

func BenchmarkAppendLine(b *testing.B) {
	r := good("31011500000000017", 56486123, -3, 1700000000000)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendLine(buf[:0], r)
	}
	b.SetBytes(int64(len(buf)))
}
