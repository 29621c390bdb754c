package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/collector"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// trial is the command line of try.
type trial struct {
	span           time.Duration
	flatOut        bool
	json, readings string
}

func newTry() *cobra.Command {
	var path string
	var t trial
	cmd := &cobra.Command{
		Use:   "try -c FILE",
		Short: "Read every meter on schedule for a while and say how that went; nothing is sealed or sent",
		Long: `Reads the meters as run does, and prints for each line what came, how well the
schedule was kept and what it cost. It needs no bundle and leaves the data
folder alone. Ctrl-C ends it early, with the summary.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, lines, err := loadLines(path)
			if err != nil {
				return err
			}
			if t.span <= 0 {
				return fmt.Errorf("--for %s: want more than zero", t.span)
			}
			return t.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), lines)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().DurationVar(&t.span, "for", 30*time.Second, "how long to read")
	cmd.Flags().BoolVar(&t.flatOut, "flat-out", false, "ignore the schedule and read one meter after the other as fast as the line goes (to measure)")
	cmd.Flags().StringVar(&t.json, "json", "", "write the summary to `FILE` as JSON")
	cmd.Flags().StringVar(&t.readings, "readings", "", "write each reading to `FILE` as a line of JSON")
	return cmd
}

// trySummary is what a trial found and what it cost.
type trySummary struct {
	collector.TrialReport
	Reads          uint64  `json:"reads"` // that gave all
	Failed         uint64  `json:"reads_failed"`
	Values         uint64  `json:"values"`
	ValuesPerSec   float64 `json:"values_per_second"`
	CPUSeconds     float64 `json:"cpu_seconds"`
	CPUMicrosValue float64 `json:"cpu_us_per_value"` // 0 when there was no value
	PeakRSSBytes   uint64  `json:"peak_rss_bytes"`   // 0 where the system does not tell
}

// run reads the lines and reports.
func (t trial) run(ctx context.Context, out, progress io.Writer, lines []collector.Line) (err error) {
	beFrugal()
	defer func() { err = errors.Join(err, cli.Failed(closeLines(lines))) }()
	o := collector.TrialOptions{Lines: lines, FlatOut: t.flatOut, Log: cli.NewLog()}
	var log *readingLog
	if t.readings != "" {
		if log, err = newReadingLog(t.readings); err != nil {
			return cli.Failed(err)
		}
		o.Readings = log.write
	}
	before := cpuTime()
	ctx, cancel := context.WithTimeout(ctx, t.span)
	defer cancel()
	running := collector.NewTrial(o)
	var telling sync.WaitGroup
	telling.Go(func() { tell(ctx, progress, running) })
	running.Run(ctx)
	cancel()
	telling.Wait()
	s := summarise(running.Report(), cpuTime()-before)
	return cli.Failed(errors.Join(log.close(), s.write(t.json), s.print(out)))
}

// progressEvery is the time between two lines of progress.
const progressEvery = 5 * time.Second

// tell prints how far the trial is, until ctx is done.
func tell(ctx context.Context, out io.Writer, t *collector.Trial) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s := summarise(t.Report(), 0)
			fmt.Fprintf(out, "%.0fs: %d reads, %d failed, %d values, %.0f values/s\n", s.Seconds, s.Reads, s.Failed, s.Values, s.ValuesPerSec)
		}
	}
}

func summarise(r collector.TrialReport, cpu time.Duration) trySummary {
	s := trySummary{TrialReport: r, CPUSeconds: cpu.Seconds(), PeakRSSBytes: peakRSS()}
	for _, l := range r.Lines {
		s.Reads += l.Read
		s.Failed += l.Failed
		s.Values += l.Values
	}
	if r.Seconds > 0 {
		s.ValuesPerSec = float64(s.Values) / r.Seconds
	}
	if s.Values > 0 {
		s.CPUMicrosValue = float64(cpu.Microseconds()) / float64(s.Values)
	}
	return s
}

func (s trySummary) write(path string) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'), 0o644)
}

// maxWorst bounds the meters that are named for each line.
const maxWorst = 5

// print writes the summary for people.
func (s trySummary) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LINE\tREADS\tFAILED\tSCHEDULE KEPT\tBUSY\tVALUES\tVALUES/S")
	for _, l := range s.Lines {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%d\t%.0f\n", l.Line, l.Read, l.Failed,
			kept(l.Report), percent(l.Busy/s.Seconds), l.Values, float64(l.Values)/s.Seconds)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, l := range s.Lines {
		for i, m := range l.Meters {
			if i == maxWorst || m.ScheduleKept == 1 && m.Failed == 0 {
				break
			}
			fmt.Fprintf(out, "line %s: meter %s: %d of %d slots: %s\n", l.Line, m.Meter, m.Read, m.Planned, orElse(m.Error, "no time left for it"))
		}
	}
	_, err := fmt.Fprintf(out, "%.1f s: %d values, %.0f values/s, CPU %.2f s (%.2f us per value), peak memory %.1f MiB\n",
		s.Seconds, s.Values, s.ValuesPerSec, s.CPUSeconds, s.CPUMicrosValue, float64(s.PeakRSSBytes)/(1<<20))
	return err
}

// kept is the share of the slots that gave all, or "-" where none came up.
func kept(r collector.Report) string {
	if r.Planned == 0 {
		return "-"
	}
	return percent(r.ScheduleKept)
}

func percent(part float64) string { return fmt.Sprintf("%.1f%%", 100*part) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// closeLines gives the connections back.
func closeLines(lines []collector.Line) error {
	var errs []error
	for _, l := range lines {
		if l.Close != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// readingLog writes readings as lines of JSON. It keeps the first error for
// close.
type readingLog struct {
	file *os.File
	buf  *bufio.Writer
	json *json.Encoder
	err  error
}

func newReadingLog(path string) (*readingLog, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	buf := bufio.NewWriterSize(f, 1<<16)
	return &readingLog{file: f, buf: buf, json: json.NewEncoder(buf)}, nil
}

// write appends one line for each reading, in the form of reading.schema.json.
func (l *readingLog) write(readings []schemas.Reading) {
	for i := range readings {
		if l.err == nil {
			l.err = l.json.Encode(&readings[i])
		}
	}
}

// close writes what is left. A nil log is none.
func (l *readingLog) close() error {
	if l == nil {
		return nil
	}
	return errors.Join(l.err, l.buf.Flush(), l.file.Close())
}
