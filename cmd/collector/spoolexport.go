package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"citygrid/collector/spool"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

// spoolExport is the command line of export.
type spoolExport struct {
	spoolFlags
	out   string
	clear bool
}

func newSpoolExport() *cobra.Command {
	var x spoolExport
	cmd := &cobra.Command{
		Use:   "export (-c FILE | --dir DIR) --out FILE",
		Short: "Write what waits to a file, sealed as it is, to carry it to the centre",
		Long: `Writes every envelope that waits to a new file, sealed as it lies on the disk; the
file needs no more care than the line to the hub. It goes on past damage and tells
it. The spool keeps everything: only a receipt of the hub frees it, and what arrives
twice is stored once.

With --clear the envelopes are opened with the key bundle and each reading, card
entry and event is written as a line of JSON: anybody can read that file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return x.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	x.add(cmd)
	x.addBundle(cmd)
	cmd.Flags().StringVar(&x.out, "out", "", "the `FILE` to write; it must not exist")
	cmd.Flags().BoolVar(&x.clear, "clear", false, "write readings in clear, as lines of JSON")
	cli.MustRequire(cmd, "out")
	return cmd
}

// exportSink takes what waits.
type exportSink interface {
	add(spoolPlace, spool.Inspected) error
	close() error
}

func (x *spoolExport) run(ctx context.Context, out, warnings io.Writer) error {
	places, bundle, err := x.places()
	if err != nil {
		return err
	}
	var open *unsealer
	if x.clear {
		if open, err = newUnsealer(bundle); err != nil {
			return err
		}
		if open == nil {
			return errors.New("--clear needs the key bundle: give -c FILE or --bundle FILE")
		}
	}
	if x.clear {
		fmt.Fprintf(warnings, "warning: %s will hold readings in clear. Whoever has the file can read them; keep it as you keep the meters' data, and erase it after use\n", x.out)
	}
	var n int
	var problems []string
	err = newFile(x.out, func(file io.Writer) (err error) {
		var sink exportSink = newSealedSink(file)
		if x.clear {
			sink = newClearSink(file, open)
		}
		n, problems, err = exportAll(ctx, places, sink)
		return err
	})
	if err != nil {
		return err
	}
	warn(warnings, problems)
	fmt.Fprintf(out, "%s: %d envelopes\n", x.out, n)
	return nil
}

// newFile makes the file at path with what fill writes, durably, and removes it again on
// an error. That it exists is one, too.
func newFile(path string, fill func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	err = errors.Join(fill(file), file.Sync(), file.Close())
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return cli.Failed(errors.Join(err, os.Remove(path)))
	}
	return nil
}

// exportAll hands everything that waits to sink; problems are the damage passed over.
func exportAll(ctx context.Context, places []spoolPlace, sink exportSink) (n int, problems []string, err error) {
	for _, p := range places {
		in, err := spool.Inspect(ctx, p.dir, func(r spool.Inspected) error {
			if !r.Waiting {
				return nil
			}
			n++
			return sink.add(p, r)
		})
		if err != nil {
			return n, nil, err
		}
		problems = append(problems, faults(p, in)...)
	}
	return n, problems, sink.close()
}

// sealedSink writes the export file of FORMAT.md.
type sealedSink struct {
	exporter *spool.Exporter
	section  schemas.Stream
}

func newSealedSink(w io.Writer) *sealedSink { return &sealedSink{exporter: spool.NewExporter(w)} }

func (s *sealedSink) add(p spoolPlace, r spool.Inspected) error {
	if s.section != p.stream {
		s.section = p.stream
		if err := s.exporter.Begin(spool.Section{Name: string(p.stream), Epoch: r.Epoch, At: time.Now()}); err != nil {
			return err
		}
	}
	return s.exporter.Add(r.Record)
}

func (s *sealedSink) close() error { return s.exporter.Close() }

// clearSink opens the envelopes and writes their items.
type clearSink struct {
	w    *bufio.Writer
	json *json.Encoder
	open *unsealer
}

func newClearSink(w io.Writer, open *unsealer) *clearSink {
	b := bufio.NewWriter(w)
	return &clearSink{b, json.NewEncoder(b), open}
}

// clearLine is one line of the file.
type clearLine struct {
	Stream schemas.Stream `json:"stream"`
	Record uint64         `json:"record"`
	Item   any            `json:"item,omitempty"`
	// Problem stands in place of Item when the envelope does not open.
	Problem string `json:"problem,omitempty"`
}

func (s *clearSink) add(p spoolPlace, r spool.Inspected) error {
	items, err := s.open.items(r.Data)
	if err != nil {
		return s.json.Encode(clearLine{Stream: p.stream, Record: r.Seq, Problem: err.Error()})
	}
	for _, item := range items {
		if err := s.json.Encode(clearLine{Stream: p.stream, Record: r.Seq, Item: item}); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
	}
	return nil
}

func (s *clearSink) close() error { return s.w.Flush() }
