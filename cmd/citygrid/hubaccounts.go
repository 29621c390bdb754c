package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"citygrid/hub/accounts"
	"citygrid/hub/api"
	"citygrid/hub/cases"
	"citygrid/hub/config"
	"citygrid/internal/cli"
)

// openAccounts opens what the section accounts of the configuration names, if there is
// one, and takes the tokens of the other sections into it.
func (h *hubProgram) openAccounts(ctx context.Context) error {
	if h.cfg.Accounts.DSN == "" {
		return nil
	}
	dsn, err := databaseAddress(h.cfg, h.cfg.Accounts.DSN, h.cfg.Accounts.Password, "accounts.password")
	if err != nil {
		return cli.Failed(err)
	}
	if h.accounts, err = accounts.Open(ctx, dsn, accounts.Options{Now: time.Now}); err != nil {
		return cli.Failed(err)
	}
	if err := h.accounts.Import(ctx, configuredPeople(h.cfg)); err != nil {
		return cli.Failed(err)
	}
	return nil
}

func (h *hubProgram) closeAccounts() error {
	if h.accounts == nil {
		return nil
	}
	return cli.Failed(h.accounts.Close())
}

// configuredPeople are those of ledger.people and grid.people.
func configuredPeople(cfg *config.Config) []accounts.Configured {
	roles := func(list []string) (out []accounts.Role) {
		for _, r := range list {
			out = append(out, accounts.Role(r))
		}
		return out
	}
	var list []accounts.Configured
	for _, p := range cfg.Ledger.People {
		list = append(list, accounts.Configured{Name: p.Name, Roles: roles(p.Roles), Token: p.Token})
	}
	for _, p := range cfg.Grid.People {
		list = append(list, accounts.Configured{ID: p.ID, Roles: roles(p.Roles), Department: p.Department, Token: p.Token})
	}
	return list
}

// accountOptions adds the accounts to the hub's face.
func (h *hubProgram) accountOptions(o *api.Options) error {
	cfg := &h.cfg.Accounts
	if h.accounts == nil {
		return nil
	}
	proxies, err := cfg.ProxyNetworks()
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	o.Accounts = &api.Accounts{Book: h.accounts, Tour: cfg.Tour, PublicURL: cfg.PublicURL, Proxies: proxies}
	if o.Accounts.Identity, err = identityProvider(h.cfg); err != nil {
		return fmt.Errorf("accounts.oidc: %w", err)
	}
	if cfg.OIDC != nil {
		o.Accounts.IdentityName = cfg.OIDC.Name
	}
	o.Ready = append(o.Ready, api.Check{Name: "accounts", Do: "look whether the database of the accounts (accounts.dsn) can be reached; nobody can sign in, and collectors are not concerned",
		Check: func(ctx context.Context) error {
			_, err := h.accounts.Audit(ctx, 0, 1)
			return err
		}})
	return nil
}

// offerSetUp prints a one-time code for as long as nobody can administer, where only the
// operator reads: never into the log, which is kept and sent elsewhere.
func (h *hubProgram) offerSetUp(ctx context.Context, out io.Writer, listen net.Addr) error {
	if h.accounts == nil {
		return nil
	}
	code, err := h.accounts.SetUpCode(ctx)
	if errors.Is(err, accounts.ErrSetUp) {
		return nil
	}
	if err != nil {
		return err
	}
	page, text, until := pageAddress(h.scheme(), &h.cfg.Accounts, listen)+"/signin#set-up", code.Code.Reveal(), code.EndsAt.Local().Format("15:04")
	_, err = fmt.Fprintf(out, `
  尚无管理员。请打开 %[1]s ，输入一次性设置码（有效至 %[3]s；重启中心可得到新码）：
  Nobody can administer this hub yet. Open %[1]s
  and enter this one-time code (good until %[3]s; a restart of the hub prints another):

      %[2]s

`, page, text, until)
	return err
}

// pageAddress is how a browser reaches the pages: by the configuration, or on this
// machine.
func pageAddress(scheme string, cfg *config.Accounts, listen net.Addr) string {
	if cfg.PublicURL != "" {
		return strings.TrimSuffix(cfg.PublicURL, "/")
	}
	tcp, ok := listen.(*net.TCPAddr)
	if !ok {
		return scheme + listen.String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// tidyTime is how often what has ended is taken out of the accounts.
const tidyTime = time.Hour

// tidyAccounts runs until ctx is done. What could not be taken out now is an hour later.
func (h *hubProgram) tidyAccounts(ctx context.Context) error {
	if h.accounts == nil {
		return nil
	}
	tick := time.NewTicker(tidyTime)
	defer tick.Stop()
	for {
		if err := h.accounts.Tidy(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("accounts not tidied; tried again in an hour", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// staffFace tells the desk who is an inspector where there are accounts: who has the
// role there now, whatever the configuration said when they were entered, or in the
// register.
type staffFace struct {
	program *gridProgram
	without peopleFace
}

// Inspector implements desk.People.
func (f staffFace) Inspector(ctx context.Context, id cases.PersonID) (bool, error) {
	if f.program.accounts == nil {
		return f.without.Inspector(ctx, id)
	}
	p, err := f.program.accounts.Find(ctx, string(id))
	switch {
	case errors.Is(err, accounts.ErrUnknown):
		return peopleFace{&config.Grid{}, f.without.register}.Inspector(ctx, id)
	case err != nil:
		return false, err
	case p.ID != string(id) || !p.Disabled.IsZero() || !p.Has(accounts.Inspector):
		return false, nil
	}
	entered := &config.Grid{People: []config.GridPerson{{ID: p.ID, Roles: []string{string(accounts.Inspector)}}}}
	return peopleFace{entered, f.without.register}.Inspector(ctx, id) // who has left the register has left
}
