package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/hub/enrolment"
	"citygrid/internal/cli"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// rotation is the flags of keys rotate.
type rotation struct {
	office
	travel
	collectors                  []string
	master, behind, compromised bool
	limit, rounds               int
	grace                       time.Duration
	out                         string
}

func newKeysRotate() *cobra.Command {
	var r rotation
	cmd := &cobra.Command{
		Use:   "rotate --dir DIR --passphrase SOURCE (--collector ID... | --master | --behind)",
		Short: "Give collectors, or the city, the next key, while everything goes on",
		Long: `Give collectors, or the city, the next key, while everything goes on.

  --collector ID   the next key for one collector, or several
  --master         the next master key, and keys of it for all collectors, or for those
                   that --collector names
  --behind         keys of the active master key for those who have none yet, at most
                   --limit of them: a rotation of the master key in portions

The old keys go on opening what is on its way for --grace; a box uses its old one until
it has the new bundle, and keeps its password at the broker. The bundle is
sealed under the key that the box has, so that any way to the box will do: there,
collector enrol accept puts it in place and keeps the password. Then restart the
collector: its spool goes out as it is.

--compromised destroys the old key at once and gives a new password: for a box whose
key somebody else has. Only that box is affected; what is in its spool is refused.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	r.office.flags(cmd, true)
	r.travel.flags(cmd)
	cmd.Flags().StringSliceVar(&r.collectors, "collector", nil, "collector id; repeated, or several with commas")
	cmd.Flags().BoolVar(&r.master, "master", false, "draw the next master key first")
	cmd.Flags().BoolVar(&r.plain, "plain", false, "do not seal the bundle: it is carried by somebody who may have the key")
	cmd.Flags().BoolVar(&r.behind, "behind", false, "those whose key is of an earlier master key")
	cmd.Flags().BoolVar(&r.compromised, "compromised", false, "destroy the old key at once")
	cmd.Flags().IntVar(&r.limit, "limit", 0, "with --behind: at most so many; 0 for all")
	cmd.Flags().DurationVar(&r.grace, "grace", enrolment.DefaultGrace, "how long old keys go on opening; the default is how late a reading may be")
	cmd.Flags().StringVar(&r.out, "out", "", "folder for the bundles (default DIR)")
	cmd.Flags().IntVar(&r.rounds, "rounds", seal.MinRounds, "with --master: rounds of PBKDF2-HMAC-SM3")
	cmd.MarkFlagsOneRequired("collector", "master", "behind")
	cmd.MarkFlagsMutuallyExclusive("behind", "collector")
	cmd.MarkFlagsMutuallyExclusive("behind", "master")
	cmd.MarkFlagsMutuallyExclusive("compromised", "master")
	cmd.MarkFlagsMutuallyExclusive("plain", "code", "request")
	return cmd
}

func (r *rotation) run(cmd *cobra.Command) error {
	switch {
	case r.grace < 0 || r.limit < 0:
		return errors.New("--grace and --limit must not be negative")
	case r.request != "" && len(r.collectors) != 1:
		return errors.New("--request is of one box: name it with --collector, alone")
	}
	folder, list, ring, err := r.openRing(cmd.Context())
	if err != nil {
		return err
	}
	master := ring.Master(list.ActiveMaster())
	if !r.compromised { // somebody else has the old key
		r.ring = ring
	}
	if r.out == "" {
		r.out = r.dir
	}
	wrap, err := r.wrap()
	if err != nil {
		return err
	}
	plan := enrolment.Rotation{Collectors: r.named(), Grace: r.grace, Compromised: r.compromised, Wrap: wrap, Bundle: r.path}
	if !r.master {
		return r.rotate(cmd, folder, master, plan)
	}
	if err := folder.CheckNextMaster(plan); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	if master, err = r.nextMaster(cmd, folder, ring, master); err != nil {
		return err
	}
	if err := r.rotate(cmd, folder, master, plan); err != nil {
		return fmt.Errorf("%w; master key %d is active and no collector has a key of it yet: go on with --behind, since --master would draw another", err, master.Generation)
	}
	return nil
}

// rotate makes the bundles.
func (r *rotation) rotate(cmd *cobra.Command, folder enrolment.Office, master *seal.Master, plan enrolment.Rotation) (err error) {
	if plan.Collectors, err = r.ids(folder); err != nil {
		return err
	}
	if len(plan.Collectors) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "no collector is behind; %s\n", hangUp)
		return nil
	}
	issued, err := folder.Rotate(master, plan)
	if err != nil {
		return err
	}
	for _, i := range issued {
		r.tell(cmd, i)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "now %s\n", hangUp)
	return nil
}

// path is that of a new bundle, with its generation: those before it may still lie there.
func (r *rotation) path(id schemas.CollectorID, generation uint16) string {
	return filepath.Join(r.out, fmt.Sprintf("%s-%04x%s", id, generation, r.suffix()))
}

// named are the collectors that the command line names.
func (r *rotation) named() (ids []schemas.CollectorID) {
	for _, id := range r.collectors {
		ids = append(ids, schemas.CollectorID(id))
	}
	return ids
}

func (r *rotation) ids(folder enrolment.Office) (ids []schemas.CollectorID, err error) {
	if ids = r.named(); len(ids) > 0 {
		return ids, nil
	}
	list, err := enrolment.Load(folder.List())
	if err != nil {
		return nil, err
	}
	ids = list.Behind()
	if r.limit > 0 && len(ids) > r.limit {
		ids = ids[:r.limit]
	}
	return ids, nil
}

// nextMaster makes the next master key the active one.
func (r *rotation) nextMaster(cmd *cobra.Command, folder enrolment.Office, have *seal.Ring, before *seal.Master) (*seal.Master, error) {
	draw, err := r.draw(cmd.Context(), folder, before)
	if err != nil {
		return nil, err
	}
	master, err := folder.NewMaster(have, draw)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "master key %d of tenant %s, check value %s, is the active one; master key %d opens until it is destroyed. Copy the key folder to its safe place\n",
		master.Generation, master.Tenant, seal.CheckValue(master.Secret), before.Generation)
	return master, nil
}

func (r *rotation) draw(ctx context.Context, folder enrolment.Office, before *seal.Master) (func(uint8) (*seal.Master, error), error) {
	from, err := r.masters()
	if err != nil {
		return nil, err
	}
	if files, ok := from.(enrolment.SealedFiles); ok {
		return folder.DrawSealed(before.Tenant, files.Passphrase, r.rounds), nil
	}
	return func(generation uint8) (*seal.Master, error) { return from.Master(ctx, generation) }, nil
}

func newKeysDestroy() *cobra.Command {
	var o office
	var id schemas.CollectorID
	var generation uint8
	var force bool
	cmd := &cobra.Command{
		Use:   "destroy --dir DIR (--collector ID | --master-generation N)",
		Short: "End a collector's rotated keys now, or erase a master key that nobody needs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := o.open()
			if err != nil {
				return err
			}
			if generation != 0 {
				return destroyMaster(cmd, folder, generation, force)
			}
			n, err := folder.Destroy(id)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d rotated keys of collector %s are destroyed; %s\n", n, id, hangUp)
			return nil
		},
	}
	o.flags(cmd, false)
	cmd.Flags().StringVar((*string)(&id), "collector", "", "collector id")
	cmd.Flags().Uint8Var(&generation, "master-generation", 0, "generation of the master key")
	cmd.Flags().BoolVar(&force, "force", false, "although collectors need it: what they have under it is given up")
	cmd.MarkFlagsOneRequired("collector", "master-generation")
	cmd.MarkFlagsMutuallyExclusive("collector", "master-generation")
	return cmd
}

func destroyMaster(cmd *cobra.Command, folder enrolment.Office, generation uint8, force bool) error {
	if err := folder.DestroyMaster(generation, force, func() error { return folder.EraseMaster(generation) }); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "master key %d is destroyed and its file erased here; %s. Destroy its copies too, and the key in a key service\n", generation, hangUp)
	return nil
}

func newKeysList() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "ls --dir DIR",
		Short: "List who is enrolled under which key, and which old keys still open",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder := enrolment.Folder(dir)
			if err := folder.Check(); err != nil {
				return err
			}
			list, err := enrolment.Load(folder.List())
			if err != nil {
				return err
			}
			return printKeys(cmd, list, time.Now())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the key files")
	cli.MustRequire(cmd, "dir")
	return cmd
}

func printKeys(cmd *cobra.Command, list *enrolment.List, now time.Time) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MASTER\tSTATE\tCOLLECTORS THAT NEED IT")
	for _, m := range list.MasterKeys() {
		fmt.Fprintf(w, "%d\t%s\t%d\n", m.Generation, m.State, len(list.Users(m.Generation, now)))
	}
	fmt.Fprintln(w, "\nCOLLECTOR\tAREA\tKEY\tSTATE\tOLD KEYS")
	active := list.ActiveMaster()
	for _, c := range list.Collectors {
		state := string(enrolment.Active)
		switch {
		case c.Revoked:
			state = "revoked"
		case uint8(c.Generation>>8) != active:
			state = "behind"
		}
		fmt.Fprintf(w, "%s\t%s\t%#04x\t%s\t%s\n", c.ID, c.Area, c.Generation, state, oldKeys(c, now))
	}
	return w.Flush()
}

// oldKeys are those that open or could be made to.
func oldKeys(c enrolment.Collector, now time.Time) (text string) {
	for _, k := range c.Old {
		if k.State == enrolment.Destroyed {
			continue
		}
		if text != "" {
			text += ", "
		}
		switch {
		case k.Until.IsZero():
			text += fmt.Sprintf("%#04x opens", k.Generation)
		case now.Before(k.Until):
			text += fmt.Sprintf("%#04x opens until %s", k.Generation, k.Until.Format(time.DateOnly))
		default:
			text += fmt.Sprintf("%#04x ended %s", k.Generation, k.Until.Format(time.DateOnly))
		}
	}
	return text
}

func printAudit(cmd *cobra.Command, log *enrolment.Log, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		for _, e := range log.Entries {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LINE\tAT\tBY\tACT\tCOLLECTOR\tFROM\tTO\tKEY\tNOTE")
	for _, e := range log.Entries {
		fmt.Fprintf(w, "%d\t%s\t%q\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Seq, e.At.Format(time.RFC3339), e.By, e.Act, e.Collector,
			generationText(e.From), generationText(e.To), e.Key, e.Note)
	}
	return w.Flush()
}

// generationText writes a collector's key as in the bundle, a master key as a number.
func generationText(g uint16) string {
	switch {
	case g == 0:
		return ""
	case g>>8 == 0:
		return fmt.Sprint(g)
	}
	return fmt.Sprintf("%#04x", g)
}
