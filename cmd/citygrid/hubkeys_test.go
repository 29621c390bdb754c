package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// A hub that runs takes a new master key and the end of an old one on SIGHUP, asks its
// source for what it does not have only, and keeps the old keys when anything is wrong.
func TestHubReloadsKeys(t *testing.T) {
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	from := enrolment.Command{Tenant: "test", Args: []string{"sh", "-c", "echo {generation} >>" + asked + "; printf 0{generation}%062d 0"}}
	office := enrolment.Office{Folder: enrolment.Folder(filepath.Join(dir, "keys")), By: "test"}
	next := func(generation uint8) (*seal.Master, error) { return from.Master(t.Context(), generation) }
	first, err := next(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := office.InitWith(first, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := office.Issue(first, enrolment.Request{Area: "310115", Collector: "c1", Bundle: filepath.Join(dir, "c1")}); err != nil {
		t.Fatal(err)
	}
	h := &hubProgram{cfg: &config.Config{Enrolment: office.List()}, masters: from}
	load := func(want ...uint16) {
		t.Helper()
		if err := h.loadKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, generation := range []uint16{0x0100, 0x0200} {
			_, err := ringNow{h}.CollectorKey(seal.DefaultProvider(), generation, "c1")
			if got := err == nil && h.admit("c1", generation) == nil; got != slices.Contains(want, generation) {
				t.Errorf("%#04x opens: %v, want those of %#04x", generation, got, want)
			}
		}
	}
	load(0x0100)
	second, err := office.NewMaster(h.ring.Load(), next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := office.Rotate(second, enrolment.Rotation{Collectors: []schemas.CollectorID{"c1"}, Grace: enrolment.DefaultGrace,
		Bundle: func(schemas.CollectorID, uint16) string { return filepath.Join(dir, "next") }}); err != nil {
		t.Fatal(err)
	}
	load(0x0100, 0x0200)
	if err := office.DestroyMaster(1, true, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	load(0x0200)
	if h.ring.Load().Master(1) != nil {
		t.Error("a destroyed master key stays in memory")
	}
	if data, _ := os.ReadFile(asked); strings.Join(strings.Fields(string(data)), " ") != "1 1 2 2" {
		t.Errorf("asked for %q; want each once by the key office and once by the hub", data)
	}
	h.masters = enrolment.NotIncluded{Interface: "PKCS #11"}
	if _, err := office.NewMaster(h.ring.Load(), next); err != nil {
		t.Fatal(err)
	}
	if err := h.loadKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "not included") {
		t.Errorf("loaded: %v", err)
	}
	if h.enrolled.Load().ActiveMaster() != 2 || h.admit("c1", 0x0200) != nil {
		t.Error("a list whose master key cannot be had is in force")
	}
}
