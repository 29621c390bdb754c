package brokerconfig

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A setting that could hold a password, and what stands there.
var passwordSetting = regexp.MustCompile(`(?i)\b([a-z_]*(?:password|passwd|passphrase|pwd|secret|token|api_?key|credentials?))["']?\s*[:=]\s*(\S.*)`)

// notAPassword says where a password is, or is a digest, or a word in capitals that stands
// for one.
var notAPassword = regexp.MustCompile(`^["']?(?:(?:file|env|fd):|sha256:|\$\{[A-Z_]+\}|[A-Z][A-Z_-]*\b|"?\.\.\.|(?:[a-z-]+:)?/[a-z/._-]+$)`)

// shipped are the folders whose files people copy to their machines.
func shipped() []string {
	return []string{".", "../docs", "../dashboards/grafana/provisioning", "../deploy", "../README.md", "../README.zh-CN.md"}
}

// TestNoDefaultPasswords: no file that people copy holds a password, a token or a key, and
// the words that every attacker tries first stand nowhere.
func TestNoDefaultPasswords(t *testing.T) {
	kinds := []string{".yaml", ".yml", ".conf", ".hocon", ".md", ".json", ".service", ".env", ".ini", ".toml", ".socket", ""}
	files := 0
	for _, root := range shipped() {
		if _, err := os.Stat(root); err != nil {
			continue // a folder that this version does not have
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains(kinds, filepath.Ext(path)) {
				return err
			}
			text, err := os.ReadFile(path)
			files++
			for n, line := range strings.Split(string(text), "\n") {
				if found := passwordIn(line); found != "" {
					t.Errorf("%s:%d: %s", path, n+1, found)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 30 {
		t.Errorf("only %d files were looked at", files)
	}
}

var firstGuess = regexp.MustCompile(`(?i)\b(admin:admin|admin/admin|guest:guest|root:root|changeme|change-me|hunter2|letmein|p@ssw0rd|password123|admin123|123456)\b`)

// passwordIn returns what looks like a password in a line; empty for none.
func passwordIn(line string) string {
	if guess := firstGuess.FindString(line); guess != "" {
		return guess
	}
	m := passwordSetting.FindStringSubmatch(line)
	if m == nil || notAPassword.MatchString(m[2]) || !isSetting(line, m[0]) {
		return ""
	}
	return m[0]
}

// isSetting tells a line of a configuration from a sentence: nothing but blanks, marks of
// lists, comments and code stands before it.
func isSetting(line, found string) bool {
	before := line[:strings.Index(line, found)]
	return strings.Trim(before, " \t#*->|`\"'{,") == "" || strings.HasSuffix(strings.TrimSpace(before), "export") || strings.HasSuffix(strings.TrimSpace(before), "{") || strings.HasSuffix(strings.TrimSpace(before), ",")
}

func TestPasswordIn(t *testing.T) {
	for line, want := range map[string]bool{
		"password: geheim": true, "  token: 0123456789": true, `"secret": "x1"`: true, "export INFLUX_TOKEN=abc": true,
		"- {name: a, password: b}": true, "user admin:admin": true, "authorization { token = s3cr3t }": true,
		"password: file:x": false, "passphrase: env:P": false, "token: sha256:00": false, "password: ${A_B}": false,
		"The password: it is drawn": false, "password_file /etc/x": false, "#  password: file:a": false, "secret: KEY": false,
	} {
		if got := passwordIn(line); (got != "") != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// TestNoEmptyPasswords: none fits, at the embedded broker and in the files.
func TestNoEmptyPasswords(t *testing.T) {
	for _, short := range []string{"", "x", "fifteen letters"} {
		if _, err := HashPassword(short); err == nil {
			t.Errorf("a password of %d bytes is taken", len(short))
		}
	}
	if CheckPassword("", "") || CheckPassword(decoyHash, "") {
		t.Error("an empty password fits")
	}
	for _, guess := range []string{"admin", "password", "citygrid", "correct horse battery"} {
		if CheckPassword(decoyHash, guess) {
			t.Errorf("the example's password is %s", guess)
		}
	}
	if files, err := RenderMosquitto(&Access{Users: []User{{Name: "certificate-only"}}}, MosquittoOptions{}); err != nil || strings.Contains(string(files[MosquittoPasswd]), "certificate-only") ||
		!strings.Contains(string(files[MosquittoConf]), "allow_anonymous false") {
		t.Errorf("a user without a password: %v, %s", err, files[MosquittoPasswd])
	}
}
