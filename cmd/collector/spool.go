package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citygrid/collector"
	"citygrid/collector/config"
	"citygrid/collector/spool"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func newSpool() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Look at what waits on the disk of a collector, check it, and carry it to the centre",
		Long: `Looks at the spools of a collector: what is sealed and has no receipt of the hub
yet. Nothing is changed (but by take-out) and no lock is taken, so the collector may
be running; what is shown is then a few seconds old. Damaged places are passed over
and told.`,
	}
	cmd.AddCommand(newSpoolLs(), newSpoolVerify(), newSpoolExport(), newSpoolTakeOut(), newSpoolSend())
	return cmd
}

// spoolFolders are the folders of the streams in a data folder.
var spoolFolders = map[schemas.Stream]string{schemas.Readings: "spool", schemas.Cards: "cards", schemas.Events: "events"}

// spoolStreams is the order in which they are shown.
func spoolStreams() []schemas.Stream {
	return []schemas.Stream{schemas.Readings, schemas.Cards, schemas.Events}
}

// spoolFlags say which spools are meant.
type spoolFlags struct {
	config, dir, bundle, stream string
}

func (f *spoolFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file; its data_dir and bundle are used")
	cmd.Flags().StringVar(&f.dir, "dir", "", "data folder `DIR`, in place of a configuration (a copy, or the disk of another box)")
	cmd.Flags().StringVar(&f.stream, "stream", "", "only `readings`, cards or events")
	cmd.MarkFlagsOneRequired("config", "dir")
	cmd.MarkFlagsMutuallyExclusive("config", "dir")
}

func (f *spoolFlags) addBundle(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "key bundle `FILE`, in place of that of the configuration")
}

// spoolPlace is one spool to look at.
type spoolPlace struct {
	stream schemas.Stream
	dir    string
}

// places finds the spools. With a configuration it returns its bundle's path, too.
func (f *spoolFlags) places() (places []spoolPlace, bundle string, err error) {
	dir, bundle := f.dir, f.bundle
	if f.config != "" {
		cfg, err := config.Load(f.config)
		if err != nil {
			return nil, "", err
		}
		dir = cfg.Path(cfg.DataDir)
		if bundle == "" {
			bundle = cfg.Path(cfg.Bundle)
		}
	}
	if f.stream != "" && spoolFolders[schemas.Stream(f.stream)] == "" {
		return nil, "", fmt.Errorf("--stream %s: want readings, cards or events", f.stream)
	}
	for _, stream := range spoolStreams() {
		if f.stream != "" && f.stream != string(stream) {
			continue
		}
		folder := filepath.Join(dir, spoolFolders[stream])
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		places = append(places, spoolPlace{stream, folder})
	}
	if len(places) == 0 {
		return nil, "", fmt.Errorf("there is no spool in %s: give the data_dir of a collector, which holds the folders spool, cards and events", dir)
	}
	return places, bundle, nil
}

// unsealer opens the envelopes of a spool.
type unsealer struct{ opener *seal.Opener }

// newUnsealer reads the bundle at path; without a path nothing can be opened, and it
// returns nil.
func newUnsealer(path string) (*unsealer, error) {
	if path == "" {
		return nil, nil
	}
	bundle, err := seal.ReadBundle(path)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	opener, err := collector.OwnOpener(&bundle, seal.DefaultProvider())
	if err != nil {
		return nil, err
	}
	return &unsealer{opener}, nil
}

// items opens an envelope and returns its readings, card entries or events.
func (u *unsealer) items(envelope []byte) (items []any, err error) {
	header, plain, err := u.opener.Open(nil, envelope)
	if err != nil {
		return nil, err
	}
	switch header.ContentType {
	case seal.Readings:
		b, err := schemas.DecodeBatch(plain)
		if err != nil {
			return nil, err
		}
		return asAny(b.Readings), nil
	case seal.Cards:
		b, err := schemas.DecodeCardBatch(plain)
		if err != nil {
			return nil, err
		}
		return asAny(b.Entries), nil
	case seal.Events:
		b, err := schemas.DecodeEventBatch(plain)
		if err != nil {
			return nil, err
		}
		return asAny(b.Events), nil
	}
	return nil, fmt.Errorf("%s in a spool", header.ContentType)
}

func asAny[T any](list []T) []any {
	items := make([]any, len(list))
	for i, v := range list {
		items[i] = v
	}
	return items
}

// checkStream reports an envelope that is none, or stands in the wrong spool.
func checkStream(stream schemas.Stream, envelope []byte) error {
	header, err := seal.ParseHeader(envelope)
	if err != nil {
		return err
	}
	if header.ContentType.Stream() != stream {
		return fmt.Errorf("%s in the spool of the %s", header.ContentType, stream)
	}
	return nil
}

// inspectAll looks at all places in turn.
func inspectAll(ctx context.Context, places []spoolPlace, each func(spoolPlace, spool.Inspected) error) ([]*spool.Inspection, error) {
	var all []*spool.Inspection
	for _, p := range places {
		in, err := spool.Inspect(ctx, p.dir, func(r spool.Inspected) error { return each(p, r) })
		if err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

// faults says what is wrong in a spool, one line for the operator each.
func faults(p spoolPlace, in *spool.Inspection) (lines []string) {
	say := func(format string, args ...any) {
		lines = append(lines, string(p.stream)+": "+fmt.Sprintf(format, args...))
	}
	if in.State == "damaged" || in.State == "unreadable" {
		say("the state file is %s: everything that is still there counts as waiting", in.State)
	}
	for _, f := range in.Faults {
		say("%s: %s", f.File, f.Problem)
	}
	for _, g := range in.Segments {
		if g.Foreign {
			say("%s is of another spool, or under a wrong name; the collector will set it aside", g.File)
		}
		for _, d := range g.Damage {
			say("%s at byte %d: %s", g.File, d.Offset, damageText(d))
		}
	}
	for _, m := range in.Missing {
		say("records %d to %d are missing, or were released before a state that could not be saved", m.From, m.To)
	}
	return lines
}

func damageText(d spool.Damaged) string {
	text := fmt.Sprintf("%d bytes hold no readable record", d.Size)
	if d.From > 0 {
		text += fmt.Sprintf(", where %d to %d stood (%d of them waited)", d.From, d.To, d.Waited)
	}
	if d.Problem != "" {
		text += ": " + d.Problem
	}
	return text
}

// ageSpan returns from when to when the waiting records of a spool are, as far as
// its segments tell; zero when nothing waits or it is not known.
func ageSpan(in *spool.Inspection) (from, to time.Time) {
	waits := func(g spool.SegmentReport) bool { return g.Waiting > 0 }
	if i := slices.IndexFunc(in.Segments, waits); i >= 0 {
		from = in.Segments[i].Begun
	}
	for _, g := range in.Segments {
		if waits(g) {
			to = g.Written
		}
	}
	return from, to
}

// moment is a time for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// warn writes what is wrong to the operator.
func warn(out io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintln(out, strings.TrimSpace("warning: "+l))
	}
}
