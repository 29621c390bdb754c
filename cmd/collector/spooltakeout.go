package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"citygrid/collector/spool"
	"citygrid/internal/cli"
	"citygrid/schemas/seal"
)

// spoolTakeOut is the command line of take-out.
type spoolTakeOut struct {
	spoolFlags
	out        string
	generation uint16
}

func newSpoolTakeOut() *cobra.Command {
	var x spoolTakeOut
	cmd := &cobra.Command{
		Use:   "take-out (-c FILE | --dir DIR) --generation KEY --out FILE",
		Short: "Move what waits under one key out of the spool into a file",
		Long: `Moves every envelope that is sealed under one generation of the collector's key from
the spools to a new file, sealed as it is. It is for what the hub refuses for good:
under a destroyed key nothing is ever confirmed, and its envelopes would keep their
place on the disk. spool ls shows the keys. The collector must be stopped meanwhile.

The file is written first, and is then the only copy: keep it until the hub's gaps
are closed otherwise. Where the key is admitted again (citygrid keys extend), spool
send publishes the file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return x.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	x.add(cmd)
	cmd.Flags().Uint16Var(&x.generation, "generation", 0, "the `KEY`, as spool ls shows it: 0x0101")
	cmd.Flags().StringVar(&x.out, "out", "", "the `FILE` to write; it must not exist")
	cli.MustRequire(cmd, "generation", "out")
	return cmd
}

// sealedUnder is what waits in one spool under the key.
type sealedUnder struct {
	place spoolPlace
	spool *spool.Spool
	seqs  []uint64
}

func (x *spoolTakeOut) run(ctx context.Context, out, warnings io.Writer) (err error) {
	places, _, err := x.places()
	if err != nil {
		return err
	}
	var opened []*sealedUnder
	defer func() {
		for _, u := range opened {
			err = errors.Join(err, cli.Failed(u.spool.Close()))
		}
	}()
	for _, p := range places {
		s, err := spool.Open(p.dir, spool.Options{OnEvent: func(e spool.Event) { warn(warnings, []string{string(p.stream) + ": " + e.String()}) }})
		if err != nil {
			return cli.Failed(err)
		}
		opened = append(opened, &sealedUnder{place: p, spool: s})
	}
	n := 0
	err = newFile(x.out, func(file io.Writer) error {
		sink := newSealedSink(file)
		for _, u := range opened {
			if err := u.copyTo(ctx, sink, x.generation); err != nil {
				return err
			}
			n += len(u.seqs)
		}
		if n == 0 {
			return fmt.Errorf("nothing waits under key %s: collector spool ls shows which keys are there", keyText(x.generation))
		}
		return sink.close()
	})
	if err != nil {
		return err
	}
	for _, u := range opened {
		if err := u.spool.Release(u.seqs...); err != nil {
			return cli.Failed(err)
		}
	}
	fmt.Fprintf(out, "%s: %d envelopes under key %s, which are in no spool any more; it is the only copy\n", x.out, n, keyText(x.generation))
	return nil
}

// copyTo hands what is sealed under the key to sink, and notes it.
func (u *sealedUnder) copyTo(ctx context.Context, sink *sealedSink, generation uint16) error {
	epoch := u.spool.Stats().Epoch
	return u.spool.Scan(ctx, func(r spool.Record) error {
		if g, ok := keyOf(r.Data); !ok || g != generation {
			return nil
		}
		u.seqs = append(u.seqs, r.Seq)
		return sink.add(u.place, spool.Inspected{Record: r, Epoch: epoch})
	})
}

// keyOf is the generation of the key that an envelope names in clear; nobody has proven
// it. Not ok: it is no envelope.
func keyOf(envelope []byte) (generation uint16, ok bool) {
	header, err := seal.ParseHeader(envelope)
	return header.Generation, err == nil
}

// keyText writes a key's generation as citygrid keys does.
func keyText(generation uint16) string { return fmt.Sprintf("%#04x", generation) }

// waitingKeys counts what waits by the key it is sealed under.
type waitingKeys map[string]int

// add counts a record that waits.
func (k waitingKeys) add(r spool.Inspected) {
	switch g, ok := keyOf(r.Data); {
	case !r.Waiting:
	case ok:
		k[keyText(g)]++
	default:
		k["none"]++
	}
}
