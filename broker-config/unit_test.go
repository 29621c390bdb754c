package brokerconfig

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"citygrid/schemas"
)

// From mosquitto_passwd 2.0.11: mosquitto_passwd -b -c file u "correct horse battery"
const (
	vectorPassword = "correct horse battery"
	vectorHash     = "$7$101$xl5bRXIiN5cPZ2Ji$2ElE8BGciu/zNgm4wy0EH/if79tiLcV/vVovu/tzWshVHEjA44CD3WNL/AFToWL+OrjKpnWSrQyADcXn8k0pig=="
)

func TestPasswords(t *testing.T) {
	if !CheckPassword(vectorHash, vectorPassword) {
		t.Error("mosquitto's own hash is not accepted")
	}
	own, err := HashPassword(vectorPassword)
	if err != nil {
		t.Fatal(err)
	}
	again, err := HashPassword(vectorPassword)
	if err != nil || own == again {
		t.Errorf("two hashes of one password are equal, error %v", err)
	}
	if !CheckPassword(own, vectorPassword) {
		t.Error("own hash is not accepted")
	}
	for _, wrong := range []string{"", "correct horse batterz", vectorPassword + " "} {
		if CheckPassword(vectorHash, wrong) || CheckPassword(own, wrong) {
			t.Errorf("password %q is accepted", wrong)
		}
	}
	if _, err := HashPassword("fifteen letters"); err == nil {
		t.Error("a short password is accepted")
	}
	if p := NewPassword(); len(p) != 43 || p == NewPassword() {
		t.Errorf("NewPassword() = %q", p)
	}
}

func TestMalformedHashesFitNoPassword(t *testing.T) {
	for name, hash := range map[string]string{
		"empty": "", "plain text": vectorPassword, "other kind": "$6$" + vectorHash[3:],
		"zero iterations": strings.Replace(vectorHash, "101", "0", 1), "signed": strings.Replace(vectorHash, "101", "+101", 1),
		"endless": strings.Replace(vectorHash, "101", "99999999999", 1), "no salt": "$7$101$$" + vectorHash[24:],
		"short hash": vectorHash[:60] + "==", "more parts": vectorHash + "$x", "line break": vectorHash + "\n",
	} {
		if CheckPassword(hash, vectorPassword) || CheckPassword(hash, "") {
			t.Errorf("%s: accepted", name)
		}
		if _, err := parseHash(hash); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestConstructors(t *testing.T) {
	c := CollectorUser("310115", "c-1", vectorHash)
	want := []string{"citygrid/v1/310115/c-1/readings", "citygrid/v1/310115/c-1/cards", "citygrid/v1/310115/c-1/events",
		"citygrid/v1/310115/c-1/status", "citygrid/v1/310115/c-1/online"}
	if !slices.Equal(c.Publish, want) {
		t.Errorf("a collector may publish %q, want %q", c.Publish, want)
	}
	if want := []string{"citygrid/v1/310115/c-1/receipt", "citygrid/v1/310115/c-1/command"}; !slices.Equal(c.Subscribe, want) {
		t.Errorf("a collector may read %q, want %q", c.Subscribe, want)
	}
	h := HubUser("hub", []schemas.AreaCode{"310115", "310104"}, "")
	if len(h.Subscribe) != 10 || h.Subscribe[5] != "citygrid/v1/310104/+/readings" || len(h.Publish) != 4 {
		t.Errorf("hub of two areas: %+v", h)
	}
	if all := HubUser("hub", nil, ""); all.Subscribe[0] != "citygrid/v1/+/+/readings" || len(all.Subscribe) != 5 {
		t.Errorf("hub of all areas: %+v", all)
	}
}

func TestSubjects(t *testing.T) {
	for filter, want := range map[string][]string{
		"a/b-1/c": {"a.b-1.c"}, "a/+/c": {"a.*.c"}, "a/#": {"a.>", "a"}, "#": {">"},
	} {
		if got := subjects(filter); !slices.Equal(got, want) {
			t.Errorf("subjects(%q) = %q, want %q", filter, got, want)
		}
	}
}

// exampleAccess is what the ready files for people are made of.
func exampleAccess() *Access {
	return &Access{Users: []User{
		HubUser("hub-1", []schemas.AreaCode{"310115"}, decoyHash),
		CollectorUser("310115", "c-0001", decoyHash),
	}}
}

func TestValidate(t *testing.T) {
	good := User{Name: "a", PasswordHash: vectorHash, Publish: []string{"a/+", "#"}, Subscribe: []string{"a/b-1/#"}}
	if err := (&Access{Users: []User{good, {Name: "certificate-only"}}}).Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		user User
		want string
	}{
		{"no name", User{}, `name ""`},
		{"bad name", User{Name: "b.c"}, `name "b.c"`},
		{"line break", User{Name: "b\nuser a"}, "want 1 to 64"},
		{"twice", User{Name: "a"}, "listed twice"},
		{"plain password", User{Name: "b", PasswordHash: "secret"}, `user "b"`},
		{"# inside", User{Name: "b", Publish: []string{"a/#/b"}}, "last level"},
		{"dot", User{Name: "b", Publish: []string{"a.b"}}, `level "a.b"`},
		{"empty level", User{Name: "b", Subscribe: []string{"a//b"}}, `level ""`},
		{"empty filter", User{Name: "b", Subscribe: []string{""}}, `level ""`},
		{"the broker's own", User{Name: "b", Subscribe: []string{"$SYS/#"}}, "belong to the broker"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := (&Access{Users: []User{good, tt.user}}).Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "users[1]") {
				t.Errorf("Validate: %v, want an error of users[1] with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is printed: %v", err)
			}
		})
	}
}

// The files for people are what the code renders; UPDATE=1 writes them anew.
func TestReadyMosquittoFilesAreCurrent(t *testing.T) {
	files, err := RenderMosquitto(exampleAccess(), MosquittoOptions{
		CertFile: "/etc/citygrid/tls/broker.crt", KeyFile: "/etc/citygrid/tls/broker.key", ClientCA: "/etc/citygrid/tls/ca.crt",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		path := filepath.Join("mosquitto", name)
		if os.Getenv("UPDATE") == "1" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the code renders (%v): run UPDATE=1 go test ./broker-config -run %s", path, err, t.Name())
		}
	}
}

func TestRenderMosquittoRefuses(t *testing.T) {
	for name, o := range map[string]MosquittoOptions{
		"certificate without key": {CertFile: "x"},
		"client CA without TLS":   {ClientCA: "x"},
		"line break":              {DataDir: "/x\nallow_anonymous true"},
	} {
		if _, err := RenderMosquitto(&Access{}, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := RenderMosquitto(&Access{Users: []User{{Name: "a\ntopic #"}}}, MosquittoOptions{}); err == nil {
		t.Error("a name with a line break: no error")
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(vectorHash)
	f.Add("$7$1$$")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := parseHash(s); err == nil && (h.iterations < 1 || len(h.key) != hashBytes || strings.ContainsAny(s, "\n:")) {
			t.Fatalf("%q was taken as %+v", s, h)
		}
	})
}
