package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/store"
	"citygrid/schemas"
)

// installations are the records of the meters' installations, by meter.
type installations map[schemas.MeterID][]schemas.Installation

// loadInstallations reads the file that the configuration names, if any, anew.
// A file that is wrong leaves the records that are in force.
func (h *hubProgram) loadInstallations() error {
	if h.cfg.Installations == "" {
		h.installed.Store(&installations{})
		return nil
	}
	list, err := config.LoadInstallations(h.cfg.Path(h.cfg.Installations))
	if err != nil {
		return err
	}
	h.installed.Store((*installations)(&list))
	return nil
}

// installationsOf returns the records of one meter, in the order of time.
func (h *hubProgram) installationsOf(meter schemas.MeterID) []schemas.Installation {
	return (*h.installed.Load())[meter]
}

// Around lets the API ask the store for what a consumption is made of.
func (s seriesOf) Around(ctx context.Context, meter schemas.MeterID, q schemas.Quantity, from, to time.Time, limit int) ([]schemas.Reading, error) {
	readings, err := s.store.Around(ctx, meter, q, from, to, limit)
	var many *store.TooManyError
	if errors.As(err, &many) {
		err = fmt.Errorf("%w: %w", api.ErrTooMany, err)
	}
	return readings, err
}
