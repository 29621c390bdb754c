package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/simulators"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	fleet    fleetFlags
	interval time.Duration
	length   time.Duration
	dir      string
	listen   string
	headless bool
	report   string
	grid     city.GridOptions
	noPlay   bool
	past     bool
	before   city.PastOptions
	then     string
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A whole living city on this machine: meters, cards, cases, people and pages",
		Long: `A whole living city on this machine, each part a process of its own: simulated
meters, a collector, the broker, InfluxDB and the hub with its pages. It prints the
addresses of the pages and a passphrase for its sample users, drawn anew each time,
and stops everything on Ctrl-C.

The city has a past: readings of the last days, cases of the last month, prepaid
books that are reconciled up to the day before yesterday, with yesterday's files
ready to be imported. --past=false leaves all that out; so does --headless.

The meters stand in an invented district. Every minute one of them begins to leak:
the collector sees it, the hub files a case in the cell, invented people dispatch,
repair and check it. One leak at a time is yours: nobody dispatches or checks it but
you. --no-play leaves everything to you: the simulators take orders to break and mend
meters, and people.json in the folder of the files has a token for everybody.

With --report it reads every stored point back at the end, checks each against
what the meter really showed, and each event and case against what really
happened, and writes what it measured.`,
		Example: `  citygrid demo
  citygrid demo --cells 20000 --components 60000 --meters 300
  citygrid demo --headless --meters 2000 --for 60s --report r.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.interval < 100*time.Millisecond {
				return fmt.Errorf("--interval: %s is shorter than 100ms", o.interval)
			}
			o.fleet.someWires(cmd)
			fleet, err := o.fleet.config()
			if err != nil {
				return err
			}
			if err := checkFleet(fleet); err != nil {
				return err
			}
			programs, err := programs()
			if err != nil {
				return err
			}
			programs.Fleet, programs.Interval, programs.Listen = fleet, o.interval, o.listen
			if o.grid.Cells != 0 {
				if err := o.grid.Check(fleet.Meters); err != nil {
					return err
				}
				programs.Grid = &o.grid
				if err := o.addPast(cmd, &programs); err != nil {
					return err
				}
			}
			return runDemo(cmd.Context(), cmd.OutOrStdout(), o, programs)
		},
	}
	o.fleet.add(cmd)
	cmd.Flags().DurationVar(&o.interval, "interval", time.Second, "time between two reads of a meter")
	cmd.Flags().DurationVar(&o.length, "for", 0, "stop after this long (default: until Ctrl-C)")
	cmd.Flags().StringVar(&o.dir, "dir", "", "keep all files in this new or empty folder (default: a temporary one)")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the page")
	cmd.Flags().IntVar(&o.grid.Cells, "cells", 200, "unit cells of the district, 60 to 200000; 0 for no district and no cases")
	cmd.Flags().IntVar(&o.grid.Components, "components", 0, "components in it, 1000 or more (default 2000, or twice as many as meters)")
	cmd.Flags().BoolVar(&o.noPlay, "no-play", false, "let nothing leak and nobody work by themselves")
	cmd.Flags().BoolVar(&o.past, "past", true, "readings, cases, prepaid books and sample users from before the start (false with --headless)")
	cmd.Flags().IntVar(&o.before.Places, "places", 360, "prepaid places of the books, 60 or more")
	cmd.Flags().IntVar(&o.before.Cases, "cases", 280, "cases of the last 30 days")
	cmd.Flags().IntVar(&o.before.Days, "days", 14, "for how many days there are readings")
	cmd.Flags().StringVar(&o.then, "then", "", "run this shell `COMMAND` once the city is up, and stop when it has ended; its environment has URL, PASSPHRASE, PEOPLE and DIR")
	cmd.Flags().BoolVar(&o.headless, "headless", false, "say nothing while running")
	cmd.Flags().StringVar(&o.report, "report", "", "verify every stored point at the end and write what was measured to `FILE` (JSON)")
	return cmd
}

// The demo has a few serial lines when it has so many meters.
const (
	demoWires     = 2
	demoWiresFrom = 50
)

// someWires gives the demo serial lines unless the flags say how many.
func (f *fleetFlags) someWires(cmd *cobra.Command) {
	if f.meters < demoWiresFrom || cmd.Flags().Changed("serial-lines") || cmd.Flags().Changed("stream-lines") {
		return
	}
	f.stream = demoWires
	if runtime.GOOS == "linux" {
		f.serial = demoWires // pseudo-terminals
	}
}

// checkFleet reports a fleet that cannot be, before there is a folder for it.
func checkFleet(fleet simulators.FleetConfig) error {
	fleet.Start = time.Now()
	_, err := simulators.NewFleet(fleet)
	return err
}

// programs finds the programs of the demo: this one, and the collector, which
// stands beside it.
func programs() (city.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return city.Options{}, err
	}
	return city.Options{Citygrid: self, Collector: filepath.Join(filepath.Dir(self), "collector")}, nil
}

// runDemo starts the parts, waits, verifies, reports and stops them.
func runDemo(ctx context.Context, out io.Writer, o demoOptions, options city.Options) (err error) {
	dir, remove, err := demoFolder(o.dir)
	if err != nil {
		return err
	}
	options.Dir = dir
	begun := time.Now()
	c, err := city.Start(ctx, options)
	defer func() {
		if c != nil {
			err = errors.Join(err, c.Stop())
		}
		if err == nil {
			err = remove()
		} else {
			err = cli.Failed(err)
			fmt.Fprintf(os.Stderr, "citygrid: the files and logs of the demo are in %s\n", dir)
		}
	}()
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while starting
		}
		return err
	}
	if err := writePeople(dir, c); err != nil {
		return err
	}
	if !o.headless {
		greet(out, &o, c, dir, time.Since(begun))
	}
	if err := playDemo(ctx, c, &o, func(ctx context.Context) error { return o.await(ctx, c, dir, out) }); err != nil {
		return err
	}
	if err := c.StopReading(); err != nil || o.report == "" {
		return err
	}
	report, err := c.Verify(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, report)
	if err := saveReport(o.report, report); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// writePeople writes down who may work with cases.
func writePeople(dir string, c *city.City) error {
	people := c.People()
	if len(people) == 0 {
		return nil
	}
	data, err := json.MarshalIndent(people, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, "people.json"), append(data, '\n'), 0o600)
}

// await waits as waitDemo does, but no longer than the command of --then takes.
func (o *demoOptions) await(ctx context.Context, c *city.City, dir string, out io.Writer) error {
	if o.then == "" {
		return waitDemo(ctx, c, o.length)
	}
	g, waiting := errgroup.WithContext(ctx)
	waiting, end := context.WithCancel(waiting)
	g.Go(func() error {
		defer end()
		return runThen(waiting, c, o.then, dir, string(c.Passphrase().Reveal()), out)
	})
	g.Go(func() error {
		defer end()
		return waitDemo(waiting, c, o.length)
	})
	return g.Wait()
}

// playDemo waits, and lets the city live meanwhile.
func playDemo(ctx context.Context, c *city.City, o *demoOptions, wait func(context.Context) error) error {
	if o.grid.Cells == 0 || o.noPlay {
		return wait(ctx)
	}
	g, playing := errgroup.WithContext(ctx)
	playing, end := context.WithCancel(playing)
	g.Go(func() error { return c.Play(playing) })
	g.Go(func() error {
		defer end()
		return wait(playing)
	})
	return g.Wait()
}

// demoFolder returns the folder for all files of the demo and how to remove it
// in the end: a temporary folder is, one that was asked for stays.
func demoFolder(asked string) (dir string, remove func() error, err error) {
	if asked == "" {
		dir, err = os.MkdirTemp("", "citygrid-demo-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if err := os.MkdirAll(asked, 0o700); err != nil {
		return "", nil, fmt.Errorf("--dir: %w", err)
	}
	entries, err := os.ReadDir(asked)
	if err != nil {
		return "", nil, fmt.Errorf("--dir: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("--dir: %s is not empty; the demo writes keys and data of its own there: give it a new folder", asked)
	}
	dir, err = filepath.Abs(asked)
	return dir, func() error { return nil }, err
}

// waitDemo returns when the time is up, ctx is done, or a part has ended by
// itself. A length of 0 is no limit.
func waitDemo(ctx context.Context, c *city.City, length time.Duration) error {
	var up <-chan time.Time
	if length > 0 {
		timer := time.NewTimer(length)
		defer timer.Stop()
		up = timer.C
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-up:
			return nil
		case <-look.C:
			if err := c.Ended(); err != nil {
				return err
			}
		}
	}
}
