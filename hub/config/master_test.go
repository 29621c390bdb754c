package config

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestMaster(t *testing.T) {
	const path = "master: keys/master.key\n"
	const phrase = "passphrase: env:PASS\n"
	for name, tt := range map[string]struct {
		master, passphrase, want string
	}{
		"a path":             {path, phrase, ""},
		"a section":          {"master: {file: keys/master.key}\n", phrase, ""},
		"a program":          {"master: {command: [unwrap, \"{generation}\"], tenant: city, timeout: 5s}\n", "", ""},
		"digits":             {"master: {hex: \"env:M_{generation}\", tenant: city}\n", "", ""},
		"no passphrase":      {path, "", "passphrase: missing"},
		"a passphrase more":  {"master: {command: [x], tenant: city}\n", phrase, "leave it out"},
		"no tenant":          {"master: {command: [x]}\n", "", "master.tenant: missing"},
		"a tenant more":      {"master: {file: a, tenant: city}\n", phrase, "the sealed file says it"},
		"two":                {"master: {file: a, command: [x]}\n", phrase, "not command and file"},
		"nothing":            {"master: {}\n", phrase, "master: missing"},
		"empty":              {"master: \"\"\n", phrase, "master: missing"},
		"PKCS #11":           {"master: {pkcs11: {module: a.so}}\n", "", "master.pkcs11: not included"},
		"SDF":                {"master: {sdf: {}}\n", "", "name it as master.command"},
		"a list":             {"master: [a]\n", phrase, "want a path, or a section"},
		"an unknown key":     {"master: {fil: a}\n", phrase, "field fil not found"},
		"a timeout too many": {"master: {hex: env:M, tenant: city, timeout: 1s}\n", "", "master.timeout"},
	} {
		text := strings.NewReplacer(goodLine(t, "master"), tt.master, goodLine(t, "passphrase"), tt.passphrase).Replace(good)
		c, err := Parse([]byte(text), "")
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err != nil {
			continue
		}
		data, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse(data, ""); err != nil || again.Master.File != c.Master.File || again.Master.Timeout != c.Master.Timeout || len(again.Master.Command) != len(c.Master.Command) {
			t.Errorf("%s: written and read again: %+v, %v", name, again, err)
		}
	}
}

// goodLine is the line of a key in the good configuration.
func goodLine(t *testing.T, key string) string {
	t.Helper()
	for _, line := range strings.SplitAfter(good, "\n") {
		if strings.HasPrefix(line, key+":") {
			return line
		}
	}
	t.Fatalf("no %s in the good configuration", key)
	return ""
}
