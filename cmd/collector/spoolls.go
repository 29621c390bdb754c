package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"citygrid/collector/spool"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

func newSpoolLs() *cobra.Command {
	var f spoolFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls (-c FILE | --dir DIR)",
		Short: "List the segments of the spools, and what waits in them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			places, _, err := f.places()
			if err != nil {
				return err
			}
			keys := map[schemas.Stream]waitingKeys{}
			for _, p := range places {
				keys[p.stream] = waitingKeys{}
			}
			all, err := inspectAll(cmd.Context(), places, func(p spoolPlace, r spool.Inspected) error {
				keys[p.stream].add(r)
				return nil
			})
			if err != nil {
				return cli.Failed(err)
			}
			if asJSON {
				return cli.Failed(listJSON(cmd.OutOrStdout(), places, all, keys))
			}
			for i, p := range places {
				if err := listSpool(cmd.OutOrStdout(), p, all[i], keys[p.stream]); err != nil {
					return cli.Failed(err)
				}
				warn(cmd.ErrOrStderr(), faults(p, all[i]))
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listedSpool is one spool in the JSON form.
type listedSpool struct {
	Stream       schemas.Stream `json:"stream"`
	Waiting      int            `json:"waiting"`
	WaitingBytes int64          `json:"waiting_bytes"`
	WaitingKeys  waitingKeys    `json:"waiting_keys"` // envelopes by the generation of their key
	Sound        bool           `json:"sound"`
	*spool.Inspection
}

func listJSON(out io.Writer, places []spoolPlace, all []*spool.Inspection, keys map[schemas.Stream]waitingKeys) error {
	list := make([]listedSpool, len(all))
	for i, in := range all {
		list[i] = listedSpool{Stream: places[i].stream, Sound: in.Sound(), WaitingKeys: keys[places[i].stream], Inspection: in}
		list[i].Waiting, list[i].WaitingBytes = in.Waiting()
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// listSpool prints one spool for people.
func listSpool(out io.Writer, p spoolPlace, in *spool.Inspection, keys waitingKeys) error {
	n, size := in.Waiting()
	from, to := ageSpan(in)
	fmt.Fprintf(out, "%s  %s\n", p.stream, in.Dir)
	fmt.Fprintf(out, "  %d envelopes wait, %d bytes; from %s to %s; state %s, of %s\n", n, size, moment(from), moment(to), in.State, moment(in.StateAt))
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(out, "  %d of them under key %s\n", keys[k], k)
	}
	if in.Holder != "" {
		fmt.Fprintf(out, "  last opened by %s\n", in.Holder)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "  SEGMENT\tBYTES\tFROM\tTO\tRECORDS\tWAIT\tWAITING BYTES\tBEGUN\tWRITTEN\tDAMAGED\t")
	for _, g := range in.Segments {
		fmt.Fprintf(table, "  %s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%d\t\n", g.File, g.Size, g.From, g.To, g.Records, g.Waiting,
			g.WaitingBytes, moment(g.Begun), moment(g.Written), len(g.Damage))
	}
	for _, a := range in.Aside {
		fmt.Fprintf(table, "  %s\t%d\t\t\t\t\t\t\t\tset aside\t\n", a.File, a.Size)
	}
	return errors.Join(table.Flush(), blank(out))
}

func blank(out io.Writer) error {
	_, err := fmt.Fprintln(out)
	return err
}

func newSpoolVerify() *cobra.Command {
	var f spoolFlags
	cmd := &cobra.Command{
		Use:   "verify (-c FILE | --dir DIR [--bundle FILE])",
		Short: "Read every record; exit with 1 when anything is damaged, and say where",
		Long: `Reads every record of the spools and checks its checksum; with the key bundle (that
of the configuration, or --bundle) it opens every envelope and decodes it as well.
It goes on past damage and tells each place. Exit code 0: all is sound; 1: something
is damaged, missing or does not open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			places, bundle, err := f.places()
			if err != nil {
				return err
			}
			open, err := newUnsealer(bundle)
			if err != nil {
				return err
			}
			v := verification{open: open, opened: make(map[schemas.Stream]int), items: make(map[schemas.Stream]int)}
			all, err := inspectAll(cmd.Context(), places, v.check)
			if err != nil {
				return cli.Failed(err)
			}
			return v.report(cmd.OutOrStdout(), places, all)
		},
	}
	f.add(cmd)
	f.addBundle(cmd)
	return cmd
}

// verification is one run of verify.
type verification struct {
	open          *unsealer // nil: the checksums and the clear headers only
	opened, items map[schemas.Stream]int
	bad           []string
}

// maxListed bounds the envelopes that are named; all are counted.
const maxListed = 100

// check looks at one record.
func (v *verification) check(p spoolPlace, r spool.Inspected) error {
	err := checkStream(p.stream, r.Data)
	if err == nil && v.open != nil {
		var items []any
		if items, err = v.open.items(r.Data); err == nil {
			v.opened[p.stream]++
			v.items[p.stream] += len(items)
		}
	}
	if err != nil {
		v.bad = append(v.bad, fmt.Sprintf("%s: %s at byte %d: record %d: %v", p.stream, r.File, r.Offset, r.Seq, err))
	}
	return nil
}

// report prints what was found; damage is a failure.
func (v *verification) report(out io.Writer, places []spoolPlace, all []*spool.Inspection) error {
	damaged := len(v.bad)
	for i, p := range places {
		lines := faults(p, all[i])
		damaged += len(lines)
		for _, l := range lines {
			fmt.Fprintln(out, l)
		}
		records := 0
		for _, g := range all[i].Segments {
			records += g.Records
		}
		n, _ := all[i].Waiting()
		fmt.Fprintf(out, "%s: %d records, %d wait", p.stream, records, n)
		if v.open != nil {
			fmt.Fprintf(out, "; %d open, with %d items", v.opened[p.stream], v.items[p.stream])
		}
		fmt.Fprintln(out)
	}
	for i, l := range v.bad {
		if i == maxListed {
			fmt.Fprintf(out, "and %d more\n", len(v.bad)-maxListed)
			break
		}
		fmt.Fprintln(out, l)
	}
	if damaged > 0 {
		return cli.Failed(fmt.Errorf("%d places are damaged, missing or do not open", damaged))
	}
	fmt.Fprintln(out, "sound")
	return nil
}
