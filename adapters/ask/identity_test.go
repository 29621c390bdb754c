package ask

import (
	"testing"
	"time"
)

func TestIdentity(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var k Identity[string]
	for i, tt := range []struct {
		after time.Duration
		from  string
		want  bool
	}{
		{0, "a", true}, {time.Minute, "b", false}, {time.Minute, "a", true},
		{ForgetAfter - 1, "b", false}, {1, "b", true}, {0, "a", false},
	} {
		now = now.Add(tt.after)
		if got := k.Takes(tt.from, now); got != tt.want {
			t.Errorf("%d: %s %v", i, tt.from, got)
		}
	}
	if k.Address != "b" {
		t.Errorf("it is %s", k.Address)
	}
}
