package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"citygrid/internal/pgtest"
	"citygrid/simulators/district"
)

// BenchmarkImport imports the census of a simulated district whole: 2,000 cells and
// as many components as REGISTRY_COMPONENTS says, 50,000 without. It reports the time
// and the greatest resident memory of this process.
func BenchmarkImport(b *testing.B) {
	sizes := os.Getenv("REGISTRY_COMPONENTS")
	if sizes == "" {
		sizes = "50000"
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, size := range strings.Split(sizes, ",") {
			n, err := strconv.Atoi(size)
			if err != nil {
				b.Fatalf("REGISTRY_COMPONENTS: %v", err)
			}
			b.Run(fmt.Sprintf("%s/%d", engine, n), func(b *testing.B) { benchImport(b, engine, n) })
		}
	}
}

func benchImport(b *testing.B, engine string, n int) {
	files, _ := city(b, district.Options{Seed: 1, Cells: max(2000, n/100), Components: n, Meters: n / 200}, 0)
	for b.Loop() {
		b.StopTimer()
		dsn := "sqlite:" + filepath.Join(b.TempDir(), "registry.db")
		if engine == "postgres" {
			dsn = pgtest.Need(b, postgres)
		}
		r := mustOpen(b, dsn)
		resetPeak()
		begun := time.Now()
		b.StartTimer()
		s := mustImport(b, r, files)
		b.StopTimer()
		took := time.Since(begun)
		if s.Errors+s.Warnings > 0 {
			b.Fatalf("%d errors, %d warnings", s.Errors, s.Warnings)
		}
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(peak(), "MiB")
		b.ReportMetric(float64(took.Microseconds())/float64(n), "us/component")
		b.StartTimer()
	}
}

// BenchmarkAt asks which cell, duty grid and class of area a position has.
func BenchmarkAt(b *testing.B) {
	o := district.Options{Seed: 1, Cells: 2000, Components: 2000, Meters: 10}
	files, _ := city(b, o, 0)
	r := mustOpen(b, "sqlite:"+filepath.Join(b.TempDir(), "registry.db"))
	mustImport(b, r, files)
	list, err := r.Components(context.Background(), ComponentFilter{}, Page{Limit: 2000})
	must(b, err)
	for n := 0; b.Loop(); n++ {
		if _, err := r.At(context.Background(), list[n%len(list)].Position); err != nil {
			b.Fatal(err)
		}
	}
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
