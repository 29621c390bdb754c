package brokerconfig

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"citygrid/schemas"
)

// Access is the list of those who may connect. Everybody else is refused. The
// programs make it of the enrolment list.
type Access struct {
	Users []User
}

// User is one client of the broker.
type User struct {
	// Name is the MQTT user name and client id, and the common name of the
	// client certificate: 1 to 64 of 0-9 A-Z a-z _ -.
	Name string
	// PasswordHash is what HashPassword returns. It may be empty where client
	// certificates replace passwords: then no password fits.
	PasswordHash string
	// Publish and Subscribe are MQTT topic filters: the topics that the user
	// may write, and those that it may read. An empty list allows nothing.
	Publish   []string
	Subscribe []string
}

// CollectorUser may publish the collector's own streams and read its own
// receipts and commands, and nothing else.
func CollectorUser(area schemas.AreaCode, collector schemas.CollectorID, hash string) User {
	u := User{Name: string(collector), PasswordHash: hash}
	for _, s := range schemas.UpStreams() {
		u.Publish = append(u.Publish, schemas.Topic{Area: area, Collector: collector, Stream: s}.String())
	}
	for _, s := range schemas.DownStreams() {
		u.Subscribe = append(u.Subscribe, schemas.Topic{Area: area, Collector: collector, Stream: s}.String())
	}
	return u
}

// HubUser may read what the collectors of its areas publish, and publish their
// receipts and commands. No areas means all areas, with one filter a stream.
func HubUser(name string, areas []schemas.AreaCode, hash string) User {
	if len(areas) == 0 {
		areas = []schemas.AreaCode{""}
	}
	u := User{Name: name, PasswordHash: hash}
	for _, a := range areas {
		for _, s := range schemas.UpStreams() {
			u.Subscribe = append(u.Subscribe, schemas.Topic{Area: a, Stream: s}.String())
		}
		for _, s := range schemas.DownStreams() {
			u.Publish = append(u.Publish, schemas.Topic{Area: a, Stream: s}.String())
		}
	}
	return u
}

var (
	namePattern  = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	levelPattern = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)
)

// Validate reports the first user that is malformed or listed twice.
func (a *Access) Validate() error {
	seen := make(map[string]bool, len(a.Users))
	for i, u := range a.Users {
		if err := u.Validate(); err != nil {
			return fmt.Errorf("users[%d]: %w", i, err)
		}
		if seen[u.Name] {
			return fmt.Errorf("users[%d]: user %q is listed twice", i, u.Name)
		}
		seen[u.Name] = true
	}
	return nil
}

// Validate reports what keeps u from meaning the same at every broker.
func (u User) Validate() error {
	if !namePattern.MatchString(u.Name) {
		return fmt.Errorf("name %q: want 1 to 64 of 0-9 A-Z a-z _ -", u.Name)
	}
	if u.PasswordHash != "" {
		if _, err := parseHash(u.PasswordHash); err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
	}
	for _, filters := range [][]string{u.Publish, u.Subscribe} {
		for _, f := range filters {
			if err := validFilter(f); err != nil {
				return fmt.Errorf("user %q: filter %q: %w", u.Name, f, err)
			}
		}
	}
	return nil
}

// validFilter allows the alphabet that every broker passes on unchanged, and
// with it no $share: NATS grants shared subscriptions and delivers nothing.
func validFilter(f string) error {
	levels := strings.Split(f, "/")
	for i, level := range levels {
		switch {
		case level == "+", level == "#" && i == len(levels)-1:
		case strings.HasPrefix(level, "$"):
			return errors.New("levels that begin with $ belong to the broker; shared subscriptions are not supported, split the hubs by area")
		case level == "#":
			return errors.New("# must be the last level")
		case !levelPattern.MatchString(level):
			return fmt.Errorf("level %q: want + or # or letters, digits, _ and -", level)
		}
	}
	return nil
}

// clone keeps a list from being changed under the broker that uses it.
func (a *Access) clone() *Access {
	c := &Access{Users: make([]User, len(a.Users))}
	for i, u := range a.Users {
		u.Publish = append([]string(nil), u.Publish...)
		u.Subscribe = append([]string(nil), u.Subscribe...)
		c.Users[i] = u
	}
	return c
}

func (a *Access) byName() map[string]User {
	m := make(map[string]User, len(a.Users))
	for _, u := range a.Users {
		m[u.Name] = u
	}
	return m
}

// changed returns the names of users whose rights in b are not those in a.
func changed(a, b *Access) map[string]bool {
	after := b.byName()
	names := map[string]bool{}
	for _, u := range a.Users {
		if v, ok := after[u.Name]; !ok || !reflect.DeepEqual(u, v) {
			names[u.Name] = true
		}
	}
	return names
}
