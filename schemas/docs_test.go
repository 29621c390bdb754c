package schemas

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	cddlRule = regexp.MustCompile(`(?m)^([a-z-]+) = \{\n((?:  .*\n)+)\}`)
	cddlKey  = regexp.MustCompile(`^  (?:\? )?([0-9]+) => .*; ([a-z_]+)(:.*)?$`)
	cddlText = regexp.MustCompile(`"([^"]+)"`)
)

// cddlMaps returns the fields of each map of the CDDL, by key.
func cddlMaps(t *testing.T, doc string) map[string]fieldTable {
	t.Helper()
	maps := make(map[string]fieldTable)
	for _, rule := range cddlRule.FindAllStringSubmatch(doc, -1) {
		var table fieldTable
		for line := range strings.Lines(rule[2]) {
			m := cddlKey.FindStringSubmatch(strings.TrimRight(line, "\n"))
			if m == nil {
				t.Fatalf("citygrid.cddl: %s: a line without key and name: %s", rule[1], line)
			}
			key, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			for len(table) <= key {
				table = append(table, "")
			}
			table[key] = m[2]
		}
		maps[rule[1]] = table
	}
	return maps
}

func TestCDDLKeys(t *testing.T) {
	without := func(key int, t fieldTable) fieldTable { t = slices.Clone(t); t[key] = ""; return t }
	want := map[string]fieldTable{
		"account": accountFields, "command": commandFields, "refill": refillFields,
		"batch": batchFields, "group": groupFields, "status": statusFields, "fault": faultFields,
		"health": healthFields, "exchange": exchangeFields, "line": lineFields,
		"receipt": receiptFields, "suspect-reading": readingFields,
		"card-batch": cardsFields, "card-entry": entryFields, "card-counters": counterFields,
		"event-batch": eventsFields, "component-event": eventFields,
		"good-reading":    without(readingReason, readingFields),
		"missing-reading": readingFields[:readingValue],
	}
	got := cddlMaps(t, readDoc(t, "citygrid.cddl"))
	for name, table := range want {
		if !slices.Equal(got[name], table) {
			t.Errorf("%s: CDDL has %q, the code %q", name, got[name], table)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("CDDL has maps that the code has not: %v", got)
	}
}

// cddlNames returns the texts of a rule of alternatives.
func cddlNames(t *testing.T, doc, rule string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "\n"+rule+" =\n")
	if !ok {
		t.Fatalf("citygrid.cddl has no rule %s", rule)
	}
	rest, _, _ = strings.Cut(rest, "\n\n")
	var names []string
	for _, m := range cddlText.FindAllStringSubmatch(rest, -1) {
		names = append(names, m[1])
	}
	return names
}

func allUnits() []string {
	var units []string
	for _, q := range Quantities() {
		if !slices.Contains(units, string(q.Unit)) {
			units = append(units, string(q.Unit))
		}
	}
	return units
}

func allQuantities() []string {
	var names []string
	for _, q := range Quantities() {
		names = append(names, string(q.Quantity))
	}
	return names
}

func reasonsOf(q Quality) []string {
	var names []string
	for _, row := range reasonTable {
		if row.quality == q {
			names = append(names, string(row.reason))
		}
	}
	return names
}

// recordedOrigins are those that have a name on the wire.
func recordedOrigins() []string {
	var names []string
	for _, o := range Origins() {
		if o != Live {
			names = append(names, string(o))
		}
	}
	return names
}

func texts[T ~string](list []T) (names []string) {
	for _, v := range list {
		names = append(names, string(v))
	}
	return names
}

func TestCDDLNamesAndLimits(t *testing.T) {
	doc := readDoc(t, "citygrid.cddl")
	for rule, want := range map[string][]string{
		"quantity": allQuantities(), "unit": allUnits(),
		"origin":     recordedOrigins(),
		"slot-loss":  texts(Losses()),
		"card-event": texts(CardEvents()), "card-source": texts(CardSources()), "utility": texts(utilityTable),
		"credit-unit": texts(creditUnitTable), "purchase-scheme": texts(schemeTable),
		"event-kind": texts(EventKinds()), "event-phase": texts(EventPhases()),
		"fault-cause": texts(FaultCauses()), "protocol": texts(Protocols()), "line-kind": texts(LineKinds()),
		"suspect-reason": reasonsOf(Suspect), "missing-reason": reasonsOf(Missing),
	} {
		if got := cddlNames(t, doc, rule); !slices.Equal(got, want) {
			t.Errorf("%s: CDDL has %q, the code %q", rule, got, want)
		}
	}
	for _, line := range []string{
		fmt.Sprintf("format = %d\n", formatVersion),
		fmt.Sprintf("ms = %d..%d\n", firstMoment, lastMoment),
		fmt.Sprintf("count = 0..%d\n", uint64(MaxCount)),
		fmt.Sprintf("exponent = -%d..%d\n", maxExponent, maxExponent),
		fmt.Sprintf("mantissa = %d..%d\n", int64(math.MinInt64), int64(math.MaxInt64)),
		fmt.Sprintf("{1,%d}\"\n", maxID),
		fmt.Sprintf("[1*%d account]", MaxAccounts), fmt.Sprintf("[1*%d slot-span]", MaxSpans), fmt.Sprintf("[1*%d refill]", MaxRefills),
		fmt.Sprintf("interval = 1..%d\n", MaxInterval.Milliseconds()), fmt.Sprintf("slot-span = [0..%d, 1..%d, slot-loss]", MaxSlots-1, MaxSlots),
		fmt.Sprintf("[0*%d group]", MaxReadings), fmt.Sprintf("[1*%d reading]", MaxReadings),
		fmt.Sprintf("[0*%d fault]", MaxFailing), fmt.Sprintf("[1*%d health]", MaxHealth),
		fmt.Sprintf("drift = -%d..%d\n", MaxDrift.Milliseconds(), MaxDrift.Milliseconds()), fmt.Sprintf("[1*%d seq-range]", MaxSeqRanges),
		fmt.Sprintf("text .size (1..%d),  ; version", MaxVersion),
		fmt.Sprintf("[1*%d card-entry]", MaxCardEntries), fmt.Sprintf("text .size (1..%d),     ; terminal", MaxTerminal),
		fmt.Sprintf("card-fault = 1..%d\n", FaultHoard), fmt.Sprintf("card = text .regexp \"[0-9A-F]{%d}\"\n", cardDigits),
		fmt.Sprintf("meter-number = text .regexp \"[0-9]{%d}\"\n", meterDigits), fmt.Sprintf("issuer = text .regexp \"[0-9]{%d}\"\n", issuerDigits),
		fmt.Sprintf("fen, litres or watt-hours, %d..%d", int64(math.MinInt64), int64(math.MaxInt64)),
		fmt.Sprintf("text .size (1..%d),  ; error", MaxFaultText),
		fmt.Sprintf("[1*%d line]", MaxLines), fmt.Sprintf("text .size (1..%d),  ; name", MaxLineText),
		fmt.Sprintf("text .size (1..%d),  ; address", MaxLineText), fmt.Sprintf("7 => 0..%d,             ; used", MaxUsed),
		fmt.Sprintf("bytes .size (0..%d),   ; sent\n", MaxFrameBytes), fmt.Sprintf("bytes .size (0..%d),   ; received", MaxFrameBytes),
		fmt.Sprintf("1..%d,             ; sent_cut", MaxFrameCut), fmt.Sprintf("at most %d exchanges", MaxExchanges),
		fmt.Sprintf("at most %d of the failing", MaxExchanges),
		fmt.Sprintf("[1*%d component-event]", MaxEvents), fmt.Sprintf("1 => bytes .size %d,", eventIDBytes),
		fmt.Sprintf("text .size (1..%d),  ; line", MaxEventLine), fmt.Sprintf("text .size (1..%d), ; note", MaxEventNote),
		fmt.Sprintf("3 => %d,         ; quality", Good), fmt.Sprintf("3 => %d,               ; quality\n  4 => suspect", Suspect),
		fmt.Sprintf("3 => %d,               ; quality\n  4 => missing", Missing),
	} {
		if !strings.Contains(doc, line) {
			t.Errorf("citygrid.cddl lacks %q", line)
		}
	}
}

func TestQuantitiesDocument(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Quantities\n\nGenerated from the table in quantities.go by `go test ./schemas -update`. " +
		"The unit is the UCUM code; a reading in any other unit is refused. A counter only grows until its register " +
		"rolls over; a gauge goes up and down; a state is one of the codes named. " +
		"A value outside the range is kept and marked suspect (`range`).\n\n" +
		"| quantity | medium | kind | unit | range | 中文 | English |\n|---|---|---|---|---|---|---|\n")
	for _, q := range Quantities() {
		span := fmt.Sprintf("%g to %g", q.Min, q.Max)
		if q.Kind == State {
			var codes []string
			for i, s := range q.States {
				codes = append(codes, fmt.Sprintf("%d %s", i, s))
			}
			span = strings.Join(codes, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` | %s | %s | %s |\n", q.Quantity, q.Medium, q.Kind, q.Unit, span, q.ZH, q.EN)
	}
	golden(t, "quantities.md", b.Bytes())
}

func TestTopicsDocument(t *testing.T) {
	doc := readDoc(t, "topics.md")
	if !strings.Contains(doc, "`"+topicRoot+"/{area}/{collector}/{stream}`") {
		t.Error("topics.md lacks the form of a topic")
	}
	rows := 0
	for direction, streams := range map[string][]Stream{"up": UpStreams(), "down": DownStreams()} {
		for _, s := range streams {
			rows++
			if !regexp.MustCompile("(?m)^\\| `" + string(s) + "` \\| " + direction + " \\|").MatchString(doc) {
				t.Errorf("topics.md lacks a row for stream %s, %s", s, direction)
			}
		}
	}
	if got := len(regexp.MustCompile("(?m)^\\| `[a-z]+` \\| (up|down) \\|").FindAllString(doc, -1)); got != rows {
		t.Errorf("topics.md has %d streams, the code %d", got, rows)
	}
}

// Every event and every field has its row in the document, and the limits in it
// are the code's.
func TestCardsDocument(t *testing.T) {
	doc := readDoc(t, "cards.md")
	_, fields, ok := strings.Cut(doc, "## Fields")
	if !ok {
		t.Fatal("cards.md has no fields")
	}
	for _, e := range CardEvents() {
		if !strings.Contains(doc, "\n| `"+string(e)+"` |") {
			t.Errorf("cards.md lacks a row for %s", e)
		}
	}
	if got := strings.Count(doc, "\n| `") - strings.Count(fields, "\n| `"); got != len(CardEvents()) {
		t.Errorf("cards.md has %d events, the code %d", got, len(CardEvents()))
	}
	named := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(fields, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			named[name[1]] = true
		}
	}
	for _, name := range entryFields {
		if name != "" && !named[name] {
			t.Errorf("cards.md lacks the field %s", name)
		}
		delete(named, name)
	}
	if len(named) > 0 {
		t.Errorf("cards.md has fields that the code has not: %v", named)
	}
	for _, text := range []string{
		fmt.Sprintf("1 to %d entries", MaxCardEntries), fmt.Sprintf("%d digits of `0-9 A-F`", cardDigits), fmt.Sprintf("| %d digits |", meterDigits),
		fmt.Sprintf("| %d digits |", issuerDigits), fmt.Sprintf("1 to %d of `0-9 A-Z a-z _ -`", maxID), fmt.Sprintf("err 1 to %d", FaultHoard),
		fmt.Sprintf("line of 1 to %d bytes", MaxTerminal), "`" + strings.Join(texts(CardCounters()), "`, `") + "`",
	} {
		if !strings.Contains(doc, text) {
			t.Errorf("cards.md lacks %q", text)
		}
	}
}
