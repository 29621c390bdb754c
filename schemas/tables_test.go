package schemas

import (
	"slices"
	"strings"
	"testing"
)

func TestQuantityTable(t *testing.T) {
	seen := make(map[Quantity]bool)
	for _, q := range Quantities() {
		if seen[q.Quantity] {
			t.Errorf("%s is listed twice", q.Quantity)
		}
		seen[q.Quantity] = true
		if !strings.HasPrefix(string(q.Quantity), string(q.Medium)+".") {
			t.Errorf("%s does not begin with its medium %s", q.Quantity, q.Medium)
		}
		if q.ZH == "" || q.EN == "" || q.Unit == "" || len(q.Quantity) > maxName || len(q.Unit) > maxName {
			t.Errorf("%s lacks a name or a unit, or one is too long for the wire", q.Quantity)
		}
		if q.Min >= q.Max {
			t.Errorf("%s: range %g to %g", q.Quantity, q.Min, q.Max)
		}
		if (q.Kind == State) != (len(q.States) > 0) || q.Kind == State && q.Max != float64(len(q.States)-1) {
			t.Errorf("%s: kind %s with states %q up to %g", q.Quantity, q.Kind, q.States, q.Max)
		}
		if info, ok := q.Quantity.Info(); !ok || info.Quantity != q.Quantity {
			t.Errorf("%s is not found", q.Quantity)
		}
	}
	if _, ok := Quantity("water.colour").Info(); ok {
		t.Error("found a quantity that is not in the table")
	}
}

func TestQuantitiesIsACopy(t *testing.T) {
	Quantities()[0].Unit = "L"
	if info, _ := Quantity("water.volume.forward").Info(); info.Unit != "m3" {
		t.Error("a caller changed the table")
	}
}

// Two rows of one medium with one name would be told apart by nobody.
func TestNamesAreUnique(t *testing.T) {
	seen := make(map[string]Quantity)
	for _, q := range Quantities() {
		for _, name := range []string{q.ZH, q.EN} {
			key := string(q.Medium) + "/" + name
			if other, twice := seen[key]; twice {
				t.Errorf("%s and %s are both called %q", other, q.Quantity, name)
			}
			seen[key] = q.Quantity
		}
	}
}

func TestTopics(t *testing.T) {
	for _, s := range slices.Concat(UpStreams(), DownStreams()) {
		topic := Topic{Area: "110101001", Collector: "Col_-7", Stream: s}
		if got, err := ParseTopic(topic.String()); err != nil || got != topic {
			t.Errorf("%s came back as %+v, %v", topic, got, err)
		}
	}
	if got := (Topic{Stream: Readings}).String(); got != "citygrid/v1/+/+/readings" {
		t.Errorf("filter %q", got)
	}
	for s, level := range map[string]string{
		"": "start", "citygrid/v2/110101/c/readings": "start", "/citygrid/v1/110101/c/readings": "start",
		"citygrid/v1/110101/c": "want", "citygrid/v1/110101/c/readings/": "want", "citygrid/v1/110101/a/b/readings": "want",
		"citygrid/v1/+/c/readings": "area", "citygrid/v1//c/readings": "area", "citygrid/v1/11010a/c/readings": "area",
		"citygrid/v1/110101/+/readings": "collector", "citygrid/v1/110101//readings": "collector",
		"citygrid/v1/110101/c d/readings": "collector", "citygrid/v1/110101/#": "want",
		"citygrid/v1/110101/c/#": "stream", "citygrid/v1/110101/c/Readings": "stream", "citygrid/v1/110101/c/": "stream",
	} {
		if _, err := ParseTopic(s); err == nil || !strings.Contains(err.Error(), level) {
			t.Errorf("%q: error %v, want one that names %s", s, err, level)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	f.Add("citygrid/v1/110101/c-1/readings")
	f.Add("citygrid/v1/+/#/readings")
	f.Fuzz(func(t *testing.T, s string) {
		topic, err := ParseTopic(s)
		if err == nil && (topic.String() != s || strings.ContainsAny(s, "+#\x00")) {
			t.Fatalf("%q was read as %+v", s, topic)
		}
	})
}

func TestIDs(t *testing.T) {
	for _, id := range []string{"", "a b", "a/b", "a.b", "é", "a\x00", strings.Repeat("x", 33)} {
		wantField(t, MeterID(id).Validate(), "meter")
		wantField(t, CollectorID(id).Validate(), "collector")
	}
	if err := MeterID(strings.Repeat("x", 32)).Validate(); err != nil {
		t.Error(err)
	}
	for _, a := range []string{"", "11010", "1101010", "11010a", "1101010010030", "１１０１０１"} {
		wantField(t, AreaCode(a).Validate(), "area")
	}
}

func TestValidateNamesTheWay(t *testing.T) {
	b := sampleBatch()
	b.Readings[3].Unit = "kV"
	wantField(t, b.Validate(), "readings[3].unit")
	b = sampleBatch()
	b.Readings[2].Value = Decimal{1, 0}
	wantField(t, b.Validate(), "readings[2].value")
	b = sampleBatch()
	b.Readings[0].Value.Exponent = 19
	wantField(t, b.Validate(), "readings[0].value.exponent")
	b.Readings = make([]Reading, MaxReadings+1)
	wantField(t, b.Validate(), "readings")
	b = sampleBatch()
	b.SealedAt = b.SealedAt.Add(1)
	wantField(t, b.Validate(), "sealed_at")
}

func TestFaultText(t *testing.T) {
	for in, want := range map[string]string{
		"": "unknown error", "\n\t": "unknown error", "a\nb": "a b", " no answer ": "no answer", "\xff表": "表",
	} {
		if got := FaultText(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	for n := range 5 {
		got := FaultText(strings.Repeat("x", n) + strings.Repeat("表", 200))
		if err := validLine("error", got, MaxFaultText); err != nil || !strings.HasSuffix(got, "表...") {
			t.Errorf("long text became %q, %v", got, err)
		}
	}
}
