package chaos

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The point that InfluxDB is made to refuse is one that no write before brought: what is
// under way while its hub is killed may be taken, and comes again.
func TestBadPointIsNew(t *testing.T) {
	arrived, goOn := make(chan struct{}, 2), make(chan struct{})
	influx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-goOn
		w.WriteHeader(http.StatusNoContent)
	}))
	defer influx.Close()
	g, err := newGate()
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	g.to(influx.URL)
	write := func(lines string) (status int) {
		answer, err := http.Post("http://"+g.url+"/write", "text/plain", strings.NewReader(lines))
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	const first, second = "reading,meter=m1 value=1i 1000\n", "reading,meter=m1 value=2i 2000\n"
	ended := make(chan int, 2)
	go func() { ended <- write(first) }()
	<-arrived
	g.set(mode{spoil: true})
	go func() { ended <- write(first) }() // the next hub brings it again
	select {
	case <-arrived:
	case status := <-ended:
		ended <- status
	}
	close(goOn)
	for range 2 {
		if status := <-ended; status != http.StatusNoContent {
			t.Errorf("status %d of a write with a point that was under way, want 204", status)
		}
	}
	for range 2 { // for ever
		if status := write(first + second); status != http.StatusBadRequest {
			t.Errorf("status %d of a write with a new point, want 400", status)
		}
		g.set(mode{})
	}
	if bad := g.refused(); len(bad) != 1 || !bad["reading,meter=m1 2000"] || g.has("reading,meter=m1 2000") {
		t.Errorf("refused %v, want the second point alone, and not stored", bad)
	}
}
