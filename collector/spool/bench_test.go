package spool

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkAppend stores sealed readings of 300 bytes, so many to an fsync. One
// operation is one record made durable.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("batch", batch), func(b *testing.B) {
			s := mustOpen(b, b.TempDir(), Options{Quota: 64 << 30, CommitRecords: batch, CommitBytes: 1 << 20, CommitEvery: time.Minute})
			data := make([]byte, 300)
			b.SetBytes(300)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += batch {
				var last Pending
				for range batch {
					var err error
					if last, err = s.AppendAsync(b.Context(), data); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := last.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			mustClose(b, s)
		})
	}
}

// BenchmarkReplay opens a spool of 100,000 records of 300 bytes and scans it, as
// the collector does at its start. One operation is the whole of it.
func BenchmarkReplay(b *testing.B) {
	const records = 100_000
	dir := b.TempDir()
	s := mustOpen(b, dir, Options{CommitRecords: 1000, CommitBytes: 1 << 20})
	var last Pending
	for range records {
		last, _ = s.AppendAsync(b.Context(), make([]byte, 300))
	}
	if _, err := last.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	mustClose(b, s)
	b.ReportAllocs()
	for b.Loop() {
		s := mustOpen(b, dir, Options{})
		n := 0
		if err := s.Scan(b.Context(), func(Record) error { n++; return nil }); err != nil || n != records {
			b.Fatal(n, err)
		}
		mustClose(b, s)
	}
	b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "records/s")
}
