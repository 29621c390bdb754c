package city_test

import (
	"testing"
	"time"

	"citygrid/internal/city"
	"citygrid/internal/influxd/influxtest"
	"citygrid/internal/outage"
)

// TestOutage: what make bench-outage runs takes the broker away and gets it back; how
// fast is the bench's.
func TestOutage(t *testing.T) {
	influxtest.Find(t)
	if testing.Short() {
		t.Skip("starts five processes")
	}
	o := outage.Options{Dir: t.TempDir(), Rate: 50, Part: city.Broker, Before: 5 * time.Second, Outage: time.Second, Log: t.Logf}
	o.Citygrid, o.Collector = city.Programs()
	r, err := outage.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Backlog == 0 || r.Stored == 0 || r.Lost+r.Duplicated+r.Wrong > 0 {
		t.Errorf("%+v", r)
	}
}
