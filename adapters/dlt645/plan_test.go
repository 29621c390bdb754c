package dlt645

import (
	"slices"
	"testing"
)

func TestPlan(t *testing.T) {
	want := []Planned{{"02010100", 20, 18}, {"0001FF00", 20, 24}, {"02030000", 20, 19}}
	if got := Plan(mustParse(t, three), 0); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	// 196 bytes in the first frame, 195 in the second, 109 in the third.
	if got := Plan(mustParse(t, longBlock), -1); got[0] != (Planned{"0001FF00", 16 + 17 + 17, 212 + 212 + 126}) {
		t.Errorf("%+v", got)
	}
	if got := Plan(embedded(t, "dlt645-1997"), -1); got[0] != (Planned{"9010", 14, 18}) || len(got) != 14 {
		t.Errorf("%+v", got)
	}
}
