package probe

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/adapters/line"
	"citygrid/collector"
	"citygrid/collector/config"
	"citygrid/internal/cli"
)

// PlanReport is what a configuration puts on its lines.
type PlanReport struct {
	Lines []LinePlan `json:"lines"`
}

// LinePlan is one line of it.
type LinePlan struct {
	Line   string      `json:"line"`
	Serial string      `json:"serial,omitempty"`
	Meters []MeterPlan `json:"meters"`
	// CycleMS is one read of every meter.
	CycleMS float64 `json:"cycle_ms"`
	// Utilisation is the share of the line's time that its meters need; 1 is all
	// of it. WithFailing is with the share that failing meters may use.
	Utilisation float64 `json:"utilisation"`
	WithFailing float64 `json:"utilisation_with_failing"`
	// Problem says why the line cannot meet its intervals, and what helps.
	Problem string `json:"problem,omitempty"`
	// Warning says why it may not, and what it has no time for besides.
	Warning string `json:"warning,omitempty"`

	wire *line.Serial
}

// MeterPlan is one meter of it.
type MeterPlan struct {
	Meter     string  `json:"meter"`
	AnswersTo string  `json:"answers_to"`
	Profile   string  `json:"profile"`
	Requests  int     `json:"requests"`
	BytesOut  int     `json:"bytes_out"`
	BytesIn   int     `json:"bytes_in"`
	RequestMS float64 `json:"request_ms"` // on average
	ReadMS    float64 `json:"read_ms"`
	Interval  string  `json:"interval"`

	read, every time.Duration
	// memory is whether it may have a clock and records of its own.
	memory bool
}

// assumptions are the times that no configuration names.
type assumptions struct {
	// wire and network are how long a meter takes to begin its answer.
	wire, network time.Duration
}

func newPlan() *cobra.Command {
	var path string
	var turnaround time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan -c FILE",
		Short: "Say what a configuration puts on each line, and whether the line can keep up; opens no socket",
		Long: `Counts the requests and bytes of one read of each meter, and what they take: the
bytes on the wire, one silence of 3.5 characters for each request, and the time
in which the meter makes up its answer, which is assumed. The exit code is 1 when
a line cannot meet its intervals.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := assumptions{wire: 20 * time.Millisecond, network: 5 * time.Millisecond}
			if turnaround < 0 {
				return fmt.Errorf("--turnaround %s: want none or more", turnaround)
			}
			if cmd.Flags().Changed("turnaround") {
				a = assumptions{turnaround, turnaround}
			}
			c, err := config.Load(path)
			if err != nil {
				return err
			}
			summary, err := c.Summary()
			if err != nil {
				return err
			}
			return printPlan(cmd.OutOrStdout(), planOf(c, summary, a), asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&path, "config", "c", "", "configuration file of a collector")
	f.DurationVar(&turnaround, "turnaround", 0, "how long a meter takes to begin its answer (default 20ms on a wire, 5ms on Modbus TCP)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	cli.MustRequire(cmd, "config")
	return cmd
}

// planOf calculates. It opens nothing.
func planOf(c *config.Config, summary []config.LineSummary, a assumptions) (r PlanReport) {
	for i, l := range summary {
		plan := LinePlan{Line: l.Name, wire: l.Serial}
		if l.Serial != nil {
			plan.Serial = l.Serial.String()
		}
		for _, m := range l.Meters {
			plan.add(meterPlan(m, l.Serial, a))
		}
		share := c.Lines[i].ProbeShare
		if share == 0 {
			share = collector.DefaultProbeShare
		}
		plan.WithFailing = plan.Utilisation + share
		plan.judge(share)
		r.Lines = append(r.Lines, plan)
	}
	return r
}

// readTime is how long one read of a meter keeps the line.
func readTime(c config.Cost, wire *line.Serial, a assumptions) time.Duration {
	if wire == nil {
		return time.Duration(c.Requests) * a.network
	}
	// No meter may answer before its line was silent.
	turnaround := max(a.wire, wire.Silence())
	return c.Wire(*wire) + time.Duration(c.Requests)*(wire.Silence()+turnaround)
}

func meterPlan(m config.MeterSummary, wire *line.Serial, a assumptions) MeterPlan {
	read := readTime(m.Cost, wire, a)
	return MeterPlan{
		Meter: string(m.ID), AnswersTo: m.AnswersTo, Profile: m.Profile,
		Requests: m.Cost.Requests, BytesOut: m.Cost.BytesOut, BytesIn: m.Cost.BytesIn,
		RequestMS: millis(read / time.Duration(max(1, m.Cost.Requests))), ReadMS: millis(read),
		Interval: m.Interval.String(), read: read, every: m.Interval, memory: m.Protocol != config.Modbus,
	}
}

func millis(d time.Duration) float64 { return math.Round(d.Seconds()*1e4) / 10 }

func (p *LinePlan) add(m MeterPlan) {
	p.Meters = append(p.Meters, m)
	p.CycleMS = math.Round(10*(p.CycleMS+m.ReadMS)) / 10
	p.Utilisation += m.read.Seconds() / m.every.Seconds()
}

// judge says whether the line can meet its intervals. share is what failing
// meters may use.
func (p *LinePlan) judge(share float64) {
	switch long, short := p.longest(), p.shortest(); {
	case p.Utilisation > 1:
		p.Problem = fmt.Sprintf("cannot meet its intervals: its meters need %s of its time: %s", percent(p.Utilisation), p.remedies(p.Utilisation))
	case long != nil && short != nil && long != short && long.read+short.read > short.every:
		p.Problem = fmt.Sprintf("cannot meet the interval %s of meter %s: a read of meter %s alone takes %s, and is not interrupted: %s",
			short.Interval, short.Meter, long.Meter, long.read.Round(time.Millisecond), p.remedies((long.read+short.read).Seconds()/short.every.Seconds()))
	case p.Utilisation+share > 1:
		p.Warning = fmt.Sprintf("meets its intervals (%s) as long as all of its meters answer; failing ones may use %s more: %s",
			percent(p.Utilisation), percent(share), p.remedies(p.Utilisation+share))
	}
	if busy := p.neverIdle(); busy != "" && p.Warning != "" {
		p.Warning += "; it " + busy
	} else if busy != "" {
		p.Warning = busy
	}
}

// neverIdle says that a line has no time for what is done between the slots
// alone: the meters' clocks, the first of their records, and those that were
// missed. It is empty when there is time, or no meter that has any of these.
func (p *LinePlan) neverIdle() string {
	var request time.Duration
	memory := false
	for _, m := range p.Meters {
		request = max(request, m.read/time.Duration(max(1, m.Requests)))
		memory = memory || m.memory
	}
	short := p.shortest()
	if !memory || short == nil {
		return ""
	}
	idle := time.Duration((1 - p.Utilisation) * float64(short.every))
	const unread = "the clocks of its meters are not checked, and neither their first records nor those that were missed are read from their memories"
	switch {
	case idle <= 0:
		return "is never idle: " + unread
	case idle < request:
		return fmt.Sprintf("is idle for %s of each %s, and one request takes %s: %s in time; longer intervals make room",
			idle.Round(time.Millisecond), short.Interval, request.Round(time.Millisecond), unread)
	}
	return ""
}

// longest is the meter whose read takes longest, shortest the one with the
// shortest interval.
func (p *LinePlan) longest() (m *MeterPlan) {
	for i := range p.Meters {
		if m == nil || p.Meters[i].read > m.read {
			m = &p.Meters[i]
		}
	}
	return m
}

func (p *LinePlan) shortest() (m *MeterPlan) {
	for i := range p.Meters {
		if m == nil || p.Meters[i].every < m.every {
			m = &p.Meters[i]
		}
	}
	return m
}

// comfort is the utilisation that a remedy aims at: repeats, clocks and records
// from the meters' memories need time too.
const comfort = 0.8

// remedies says what makes a line with that utilisation meet its intervals.
func (p *LinePlan) remedies(utilisation float64) string {
	var all []string
	if m := p.shortest(); m != nil {
		need := time.Duration(float64(m.every) * utilisation / comfort)
		unit := time.Second
		if need > 10*time.Minute {
			unit = time.Minute
		}
		all = append(all, fmt.Sprintf("intervals longer by %.1f (%s becomes %s)", utilisation/comfort, m.Interval, (need+unit-1).Truncate(unit)))
	}
	if baud, ok := p.fasterBaud(utilisation); ok {
		all = append(all, fmt.Sprintf("%d Bd, if all meters of the line can", baud))
	}
	if n := int(math.Ceil(utilisation / comfort)); n > 1 && len(p.Meters) >= n {
		all = append(all, fmt.Sprintf("%d lines in place of one", n))
	}
	return strings.Join(all, ", or ")
}

// fasterBaud is the least usual speed at which the line would be comfortable.
// Only the bytes and silences become faster, so it is often not there.
func (p *LinePlan) fasterBaud(utilisation float64) (int, bool) {
	if p.wire == nil {
		return 0, false
	}
	var bytes float64
	for _, m := range p.Meters {
		bytes += p.wire.Wire(m.BytesOut+m.BytesIn).Seconds() / m.every.Seconds()
	}
	for _, baud := range []int{2400, 4800, 9600, 19200, 38400, 57600, 115200} {
		faster := float64(p.wire.Baud) / float64(baud)
		if faster < 1 && utilisation-bytes*(1-faster) <= comfort {
			return baud, true
		}
	}
	return 0, false
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// printPlan writes the report, and returns the error that names the lines which
// cannot meet their intervals.
func printPlan(out io.Writer, r PlanReport, asJSON bool) error {
	write := func() error { return r.print(out) }
	if asJSON {
		write = func() error { return writeJSON(out, r) }
	}
	err := write()
	for _, l := range r.Lines {
		if l.Problem != "" {
			err = errors.Join(err, fmt.Errorf("line %s %s", l.Line, l.Problem))
		}
	}
	return cli.Failed(err)
}

func (r PlanReport) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LINE\tMETER\tANSWERS TO\tPROFILE\tREQUESTS\tBYTES OUT\tIN\tMS/REQUEST\tMS/READ\tEVERY")
	for _, l := range r.Lines {
		for _, m := range l.Meters {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%.1f\t%.1f\t%s\n", l.Line, m.Meter, m.AnswersTo, m.Profile,
				m.Requests, m.BytesOut, m.BytesIn, m.RequestMS, m.ReadMS, m.Interval)
		}
	}
	fmt.Fprintln(table)
	fmt.Fprintln(table, "LINE\tWIRE\tMETERS\tMS/CYCLE\tUSED\tWITH FAILING METERS\tMEETS ITS INTERVALS")
	for _, l := range r.Lines {
		wire, verdict := l.Serial, "yes"
		if wire == "" {
			wire = "TCP"
		}
		switch {
		case l.Problem != "":
			verdict = "no"
		case l.Warning != "":
			verdict = "barely"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.1f\t%s\t%s\t%s\n", l.Line, wire, len(l.Meters), l.CycleMS, percent(l.Utilisation), percent(l.WithFailing), verdict)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, l := range r.Lines {
		if l.Warning != "" {
			fmt.Fprintf(out, "line %s %s\n", l.Line, l.Warning)
		}
	}
	return nil
}
