package books

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"citygrid/internal/pgtest"
	"citygrid/schemas"
)

// BenchmarkMonth reconciles a month: three card entries, a sale and a payment for
// each meter, over the balances of the day before. Its size is the number of card
// entries; LEDGER_ENTRIES gives other sizes, as `make bench-ledger` does.
func BenchmarkMonth(b *testing.B) {
	sizes := os.Getenv("LEDGER_ENTRIES")
	if sizes == "" {
		sizes = "30000"
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, size := range strings.Split(sizes, ",") {
			entries, err := strconv.Atoi(size)
			if err != nil {
				b.Fatalf("LEDGER_ENTRIES: %v", err)
			}
			b.Run(fmt.Sprintf("%s/%d", engine, entries), func(b *testing.B) { benchMonth(b, engine, entries) })
		}
	}
}

func benchMonth(b *testing.B, engine string, entries int) {
	for b.Loop() {
		b.StopTimer()
		dsn := "sqlite:" + filepath.Join(b.TempDir(), "books.db")
		if engine == "postgres" {
			dsn = pgtest.Need(b, postgres)
		}
		books := mustOpen(b, dsn)
		w := world{n: entries / 3}
		begun := time.Now()
		w.begin(b, books)
		w.fill(b, books)
		b.Logf("%s %d: prepared in %s", engine, entries, time.Since(begun).Round(time.Millisecond))
		resetPeak()
		b.StartTimer()
		before := cpu()
		begun = time.Now()
		s := w.run(b, books, start+1, start+30)
		took := time.Since(begun)
		b.StopTimer()
		if s.Figures.Entries != int64(w.n)*3 || s.Figures.Payments != int64(w.n) {
			b.Fatalf("the run took %d entries and %d payments", s.Figures.Entries, s.Figures.Payments)
		}
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric((cpu() - before).Seconds(), "cpu-s")
		b.ReportMetric(peak(), "MiB")
		b.ReportMetric(float64(took.Nanoseconds())/float64(entries), "ns/entry")
		b.StartTimer()
	}
}

// BenchmarkFill fills the use of a state for each third of the entries, from readings
// that cost nothing: what the books do for it.
func BenchmarkFill(b *testing.B) {
	const n = 20_000
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				dsn := "sqlite:" + filepath.Join(b.TempDir(), "books.db")
				if engine == "postgres" {
					dsn = pgtest.Need(b, postgres)
				}
				books, w := mustOpen(b, dsn), world{n: n}
				w.begin(b, books)
				for i := 0; i < n; i += 1000 {
					var part []schemas.CardEntry
					for k := range 1000 {
						part = append(part, w.silent(i+k)...)
					}
					must(b, books.StoreCards(context.Background(), "edge-1", part))
				}
				begun := time.Now()
				b.StartTimer()
				if s := mustFill(b, books, start+30, generated{}); s.Filled != n {
					b.Fatalf("%+v", s)
				}
				b.ReportMetric(float64(time.Since(begun).Nanoseconds())/n, "ns/filled")
			}
		})
	}
}

// cpu returns the processor time of this process: what the run costs whatever else
// the machine does.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak makes the kernel forget this process's greatest memory [proc(5),
// clear_refs].
func resetPeak() {
	runtime.GC()
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // elsewhere the figure is of the whole life
}

// peak returns the greatest resident memory since then, in MiB; of this process
// only, not of PostgreSQL.
func peak() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}
