package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// Grid is the section of the asset register and the cases. Without it the hub keeps
// neither, and component events are points in the series and nothing else.
type Grid struct {
	// DSN is "sqlite:PATH" (one file, relative to the configuration's folder) or
	// "postgres://USER@HOST:PORT/DATABASE"; empty for no grid.
	DSN string `yaml:"dsn"`
	// Password says where the password of a PostgreSQL user is: file:PATH or
	// env:NAME; empty for none.
	Password string `yaml:"password,omitempty"`
	// Limits is the file of time limits, the working calendar and the workflow;
	// empty: no case has a limit, and everything is left to persons.
	Limits string `yaml:"limits,omitempty"`
	// CaseNumber is the city's rule for case numbers; DefaultCaseNumber when empty.
	CaseNumber string `yaml:"case_number,omitempty"`
	// Zone is the city's time zone, "Asia/Shanghai" when empty.
	Zone string `yaml:"zone,omitempty"`
	// Events says how component events become cases.
	Events GridEvents `yaml:"events,omitempty"`
	// Media says where photos are kept; without it none are taken.
	Media GridMedia `yaml:"media,omitempty"`
	// Open311 opens the GeoReport v2 interface; without it there is none.
	Open311 *Open311 `yaml:"open311,omitempty"`
	// Webhooks are programs that are told what happens to cases.
	Webhooks []Webhook `yaml:"webhooks,omitempty"`
	// People are those who may work with cases, with their roles.
	People []GridPerson `yaml:"people,omitempty"`
}

// DefaultCaseNumber is the rule when the file names none: the day and a serial of it.
const DefaultCaseNumber = "{yyyymmdd}{serial:6}"

// GridEvents are the rules of package desk for events; what is left out has its value.
type GridEvents struct {
	// Hold is how long an event of a kind lasts before it becomes a case.
	Hold map[schemas.EventKind]time.Duration `yaml:"hold,omitempty"`
	// NearM and Within join an event to an open case of its kind.
	NearM  float64       `yaml:"near_m,omitempty"`
	Within time.Duration `yaml:"within,omitempty"`
	// Cluster is how many silent things in one cell are an outage of the cell.
	Cluster int `yaml:"cluster,omitempty"`
}

// GridMedia is a folder (Dir) or a bucket of an S3-compatible store.
type GridMedia struct {
	Dir string `yaml:"dir,omitempty"`
	S3  *S3    `yaml:"s3,omitempty"`
	// MaxImage, MaxAudio and MaxVideo bound what is taken, in MiB; 0 means 10, 10
	// and 50.
	MaxImage int `yaml:"max_image_mib,omitempty"`
	MaxAudio int `yaml:"max_audio_mib,omitempty"`
	MaxVideo int `yaml:"max_video_mib,omitempty"`
}

// S3 names a bucket. Secret says where the secret key is: file:PATH or env:NAME.
type S3 struct {
	URL    string `yaml:"url"`
	Bucket string `yaml:"bucket"`
	Region string `yaml:"region,omitempty"`
	Access string `yaml:"access"`
	Secret string `yaml:"secret"`
}

// Open311 is the GeoReport v2 interface.
type Open311 struct {
	// Jurisdiction is the jurisdiction_id that clients may send; empty for none.
	Jurisdiction string `yaml:"jurisdiction,omitempty"`
	// URL is where clients reach the hub, such as https://hub.example, for the discovery;
	// empty: what the request says, which behind a proxy is wrong.
	URL string `yaml:"url,omitempty"`
	// Classes are those that the public may report: classes, or beginnings of them
	// such as "CJ/T 214-2007:component:01".
	Classes []string `yaml:"classes"`
	// Keys are the api_keys of client programs.
	Keys []Open311Key `yaml:"keys,omitempty"`
}

// Open311Key is a client program: its name, and "sha256:" with the digest of its key
// (citygrid token).
type Open311Key struct {
	Name  string `yaml:"name"`
	Token string `yaml:"token"`
}

// Webhook is a program that is told. Secret says where the signing secret is:
// file:PATH or env:NAME.
type Webhook struct {
	Name   string   `yaml:"name"`
	URL    string   `yaml:"url"`
	Secret string   `yaml:"secret"`
	Types  []string `yaml:"types,omitempty"`
}

// GridPerson is who may work with cases.
type GridPerson struct {
	// ID is the person's id in the journal of cases: 1 to 32 of [0-9A-Za-z_.@-].
	ID string `yaml:"id"`
	// Roles are those of docs/cases.md; Department is given for the role department.
	Roles      []string `yaml:"roles"`
	Department string   `yaml:"department,omitempty"`
	// Token is "sha256:" and the digest of the person's token (citygrid token).
	Token string `yaml:"token"`
}

// GridRoles are the roles that a person may have, in the order of docs/cases.md. The
// role sensor is the hub's own, and public needs no token.
func GridRoles() []string {
	return []string{"inspector", "acceptor", "shift_leader", "dispatcher", "department", "admin"}
}

// Location returns the time zone.
func (g *Grid) Location() (*time.Location, error) { return (&Ledger{Zone: g.Zone}).Location() }

// check reports every value that cannot work, but for those that the packages check
// that use them.
func (g *Grid) check() error {
	if g.DSN == "" {
		if g.Limits != "" || g.Media != (GridMedia{}) || g.Open311 != nil || len(g.Webhooks) > 0 || len(g.People) > 0 {
			return errors.New("grid.dsn: missing: sqlite:PATH or postgres://USER@HOST/DATABASE")
		}
		return nil
	}
	_, zoneErr := g.Location()
	errs := []error{checkDSN("grid", g.DSN, g.Password), zoneErr, g.Media.check(), g.Open311.check()}
	for n, w := range g.Webhooks {
		if w.Name == "" || w.URL == "" || w.Secret == "" {
			errs = append(errs, fmt.Errorf("webhooks[%d]: want name, url and secret", n))
		}
	}
	for n := range g.People {
		if err := g.People[n].check(g.People[:n]); err != nil {
			errs = append(errs, fmt.Errorf("people[%d]: %w", n, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("grid: %w", err)
	}
	return nil
}

func (m *GridMedia) check() error {
	switch {
	case m.Dir != "" && m.S3 != nil:
		return errors.New("media: give either dir or s3")
	case m.MaxImage < 0 || m.MaxAudio < 0 || m.MaxVideo < 0 || max(m.MaxImage, m.MaxAudio, m.MaxVideo) > 1024:
		return errors.New("media: want bounds of 0 to 1024 MiB")
	case m.S3 == nil:
		return nil
	}
	u, err := url.Parse(m.S3.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return errors.New("media.s3.url: want http://host:port or https://host; the keys have their own places")
	}
	if m.S3.Bucket == "" || m.S3.Access == "" || m.S3.Secret == "" {
		return errors.New("media.s3: want bucket, access and secret")
	}
	return nil
}

func (o *Open311) check() error {
	if o == nil {
		return nil
	}
	if u, err := url.Parse(o.URL); o.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return errors.New("open311.url: want https://host or http://host:port, where clients reach the hub, without /open311/v2")
	}
	if len(o.Classes) == 0 {
		return errors.New("open311.classes: missing: say which classes the public may report")
	}
	for n, k := range o.Keys {
		if !clientForm.MatchString(k.Name) || !tokenDigest(k.Token) {
			return fmt.Errorf("open311.keys[%d]: want name, 1 to 24 of 0-9 A-Z a-z _ . -, and token with sha256: and 64 hexadecimal digits, as citygrid token prints them", n)
		}
	}
	return nil
}

var clientForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,24}$`)

var personForm = regexp.MustCompile(`^[0-9A-Za-z_.@-]{1,32}$`)

func (p *GridPerson) check(before []GridPerson) error {
	switch {
	case !personForm.MatchString(p.ID) || p.ID == "citygrid":
		return fmt.Errorf("id %q: want 1 to 32 of 0-9 A-Z a-z _ . @ -, and not citygrid, which is the hub itself", p.ID)
	case len(p.Roles) == 0:
		return fmt.Errorf("%s has no role: want %s", p.ID, strings.Join(GridRoles(), ", "))
	case slices.Contains(p.Roles, "department") != (p.Department != ""):
		return fmt.Errorf("%s: the role department and a department go together", p.ID)
	case !tokenDigest(p.Token):
		return fmt.Errorf("%s: token: want sha256: and 64 hexadecimal digits, as citygrid token prints them", p.ID)
	}
	for _, r := range p.Roles {
		if !slices.Contains(GridRoles(), r) {
			return fmt.Errorf("%s: role %q: want %s", p.ID, r, strings.Join(GridRoles(), ", "))
		}
	}
	if slices.ContainsFunc(before, func(q GridPerson) bool {
		return strings.EqualFold(q.ID, p.ID) || strings.EqualFold(q.Token, p.Token)
	}) {
		return fmt.Errorf("%s: the id or the token stands twice", p.ID)
	}
	return nil
}
