package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// mastersOf returns where the configuration says that master keys come from. A
// passphrase is read now and kept: a master key that is rotated in is opened while
// the hub runs.
func mastersOf(cfg *config.Config) (enrolment.Masters, error) {
	m := cfg.Master
	switch {
	case len(m.Command) > 0:
		return enrolment.Command{Args: m.Command, Tenant: m.Tenant, Timeout: m.Timeout}, nil
	case m.Hex != "":
		return enrolment.HexSource{Source: sourceIn(cfg, m.Hex), Tenant: m.Tenant}, nil
	case m.PKCS11 != nil:
		return enrolment.NotIncluded{Interface: "PKCS #11"}, nil
	case m.SDF != nil:
		return enrolment.NotIncluded{Interface: "SDF (GM/T 0018)"}, nil
	}
	passphrase, err := seal.ReadPassphrase(sourceIn(cfg, cfg.Passphrase))
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	return enrolment.SealedFiles{First: cfg.Path(m.File), Passphrase: passphrase}, nil
}

// loadKeys puts the enrolment list of the moment in force, and the master keys that it
// has in use. An error changes nothing.
func (h *hubProgram) loadKeys(ctx context.Context) error {
	path := h.cfg.Path(h.cfg.Enrolment)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("enrolment list (enrolment in the configuration; citygrid keys init makes it): %w", err)
	}
	list, err := enrolment.Load(path)
	if err != nil {
		return err
	}
	before := h.ring.Load()
	ring, err := enrolment.OpenRing(ctx, list, h.masters, before)
	if err != nil {
		return fmt.Errorf("master: %w", err)
	}
	if before != nil && ring.Tenant() != before.Tenant() {
		return fmt.Errorf("master: the keys are of tenant %s, this hub runs for %s", ring.Tenant(), before.Tenant())
	}
	h.ring.Store(ring)
	h.enrolled.Store(list)
	return nil
}

// admit answers for the receiver under which keys messages are opened.
func (h *hubProgram) admit(id schemas.CollectorID, generation uint16) error {
	return h.enrolled.Load().Admit(id, generation, time.Now())
}

// ringNow derives keys of the master keys of the moment.
type ringNow struct{ hub *hubProgram }

func (r ringNow) CollectorKey(p seal.Provider, generation uint16, collector string) (seal.CollectorKey, error) {
	return r.hub.ring.Load().CollectorKey(p, generation, collector)
}
