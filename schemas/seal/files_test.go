package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"citygrid/internal/secret"
)

const testRounds = 10

func testMaster() *Master {
	return &Master{Tenant: "city", Generation: 3, Secret: secret.New(bytes.Repeat([]byte{7}, SecretSize))}
}

func TestMasterFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.json")
	m, pass := testMaster(), secret.New("correct horse")
	if err := writeMaster(path, m, pass, testRounds, testRounds); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	got, err := readMaster(path, pass, testRounds)
	if err != nil || got.Tenant != m.Tenant || got.Generation != m.Generation || !got.Equal(m.Secret) {
		t.Fatalf("read back %q %d, same key %t: %v", got.Tenant, got.Generation, got.Equal(m.Secret), err)
	}
	_, err = readMaster(path, secret.New("wrong horse"), testRounds)
	wantCode(t, err, PassphraseWrong)
	if !strings.Contains(err.Error(), "wrong passphrase") {
		t.Errorf("%q does not say what is wrong", err)
	}
	_, err = ReadMaster(path, pass)
	wantCode(t, err, FileBad) // too few rounds
	if err := writeMaster(path, m, pass, testRounds, testRounds); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a master key was replaced: %v", err)
	}
}

// TestMasterFileVector reads a file that was written by the Python program of
// testdata/envelopes.json, at the full cost.
func TestMasterFileVector(t *testing.T) {
	if testing.Short() {
		t.Skip("two derivations of 600,000 rounds: not with -short")
	}
	path := copyFile(t, "master-key.json", 0o600)
	m, err := ReadMaster(path, secret.New("correct horse 电池"))
	if err != nil {
		t.Fatal(err)
	}
	v := loadEnvelopes(t)[0]
	if m.Tenant != v.Tenant || m.Generation != 1 || !bytes.Equal(m.Reveal(), v.MasterKey) {
		t.Errorf("read tenant %s, generation %d, another key", m.Tenant, m.Generation)
	}
	other := filepath.Join(t.TempDir(), "m.json")
	if err := WriteMaster(other, m, secret.New("p"), MinRounds); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, name string, perm fs.FileMode) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, data, perm)
}

func writeFile(t *testing.T, data []byte, perm fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestInspectMaster(t *testing.T) {
	info, err := InspectMaster(copyFile(t, "master-key.json", 0o600))
	if want := (MasterInfo{"example-city", 1, 600000}); err != nil || info != want {
		t.Errorf("got %+v, %v; want %+v", info, err, want)
	}
	if _, err = InspectMaster(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits say nothing on Windows")
	}
	for _, perm := range []fs.FileMode{0o640, 0o604, 0o620, 0o601, 0o644} {
		path := copyFile(t, "master-key.json", perm)
		_, err := InspectMaster(path)
		wantCode(t, err, FileMode)
		if hint := "chmod 0600 " + path; err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("mode %o: %v does not say %q", perm, err, hint)
		}
		_, err = ReadBundle(path)
		wantCode(t, err, FileMode)
	}
	_, err := InspectMaster(copyFile(t, "master-key.json", 0o400))
	if err != nil {
		t.Errorf("mode 0400: %v", err)
	}
	_, err = ReadBundle(t.TempDir())
	wantCode(t, err, FileBad)
}

func TestMasterFileRefuses(t *testing.T) {
	data, err := os.ReadFile("testdata/master-key.json")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, bad := range map[string]string{
		"empty":         "",
		"not JSON":      "hello",
		"cut":           text[:len(text)/2],
		"more behind":   text + "{}",
		"array":         "[" + text + "]",
		"version":       strings.Replace(text, `"version": 1`, `"version": 2`, 1),
		"tenant":        strings.Replace(text, "example-city", "example-town", 1),
		"rounds":        strings.Replace(text, "600000", "600001", 1),
		"few rounds":    strings.Replace(text, "600000", "599999", 1),
		"many rounds":   strings.Replace(text, "600000", "2000000000", 1),
		"key byte":      strings.Replace(text, "53f0", "53f1", 1),
		"short salt":    strings.Replace(text, "00112233", "", 1),
		"not hex":       strings.Replace(text, "00112233", "0011223x", 1),
		"unknown field": strings.Replace(text, "{", `{"note": "x",`, 1),
		"missing field": strings.Replace(text, `"generation": 1,`, "", 1),
		"field twice":   strings.Replace(text, "{", `{"generation": 2,`, 1),
		"other case":    strings.Replace(text, `"tenant"`, `"Tenant"`, 1),
		"null":          strings.Replace(text, `"example-city"`, "null", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if bad == text {
				t.Fatal("the edit changed nothing")
			}
			_, err := parseMaster([]byte(bad), MinRounds)
			wantCode(t, err, FileBad)
		})
	}
}

func TestWriteMasterRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	wantCode(t, WriteMaster(path, testMaster(), secret.New("p"), MinRounds-1), ConfigBad)
	wantCode(t, WriteMaster(path, testMaster(), secret.Secret{}, MinRounds), ConfigBad)
	wantCode(t, WriteMaster(path, &Master{Tenant: "t", Generation: 1}, secret.New("p"), MinRounds), ConfigBad)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused write left a file: %v", err)
	}
}

func TestNewMaster(t *testing.T) {
	m, err := NewMaster("city", 1, bytes.NewReader(bytes.Repeat([]byte{9}, SecretSize)))
	if err != nil || !bytes.Equal(m.Reveal(), bytes.Repeat([]byte{9}, SecretSize)) {
		t.Errorf("not the bytes of the source: %v", err)
	}
	broken := errors.New("no chance")
	if _, err := NewMaster("city", 1, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a failed source of chance: %v", err)
	}
	wantCode(t, errOf(NewMaster("city", 0, zeros{})), ConfigBad)
	wantCode(t, errOf(NewMaster("", 1, zeros{})), ConfigBad)
	if _, err := NewContext(1, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a failed source of chance: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func mustIssue(t testing.TB) Bundle {
	t.Helper()
	b, err := Issue(testMaster(), "310110", "c-001", 2, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c-001.json")
	b := mustIssue(t)
	want, err := testMaster().CollectorKey(tjfoc{}, 0x0302, "c-001")
	if err != nil || b.Generation != 0x0302 || !b.Key.Equal(want.Secret) {
		t.Errorf("generation %#x, right key %t: %v", b.Generation, b.Key.Equal(want.Secret), err)
	}
	if err := WriteBundle(path, b); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	got, err := ReadBundle(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tenant != "city" || got.Area != "310110" || got.Collector != "c-001" || got.Generation != b.Generation ||
		!got.Key.Equal(b.Key.Secret) || got.BrokerUser != "c-001" || !got.BrokerPassword.Equal(b.BrokerPassword) {
		t.Errorf("read back %+v, wrote %+v", got, b)
	}
	if err := WriteBundle(path, b); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a bundle was replaced: %v", err)
	}
}

func TestIssueRefuses(t *testing.T) {
	if _, err := Issue(testMaster(), "shanghai", "c-001", 0, zeros{}); err == nil {
		t.Error("a bad area was accepted")
	}
	if _, err := Issue(testMaster(), "310110", "c 001", 0, zeros{}); err == nil {
		t.Error("a bad collector was accepted")
	}
	if _, err := Issue(testMaster(), "310110", "c-001", 0, iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Error("a password without chance was accepted")
	}
}

func TestParseBundleRefuses(t *testing.T) {
	b := mustIssue(t)
	data, err := b.MarshalFile()
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, bad := range map[string]string{
		"empty":          "",
		"version":        strings.Replace(text, `"version": 1`, `"version": 2`, 1),
		"format":         strings.Replace(text, bundleFormat, "other", 1),
		"unknown field":  strings.Replace(text, "{", `{"broker_url": "x",`, 1),
		"missing field":  strings.Replace(text, `"area": "310110",`, "", 1),
		"field twice":    strings.Replace(text, "{", `{"tenant": "other",`, 1),
		"area":           strings.Replace(text, "310110", "31011", 1),
		"collector":      strings.Replace(text, `"collector": "c-001"`, `"collector": "c/001"`, 1),
		"generation":     strings.Replace(text, "770", "7", 1),
		"big generation": strings.Replace(text, "770", "70000", 1),
		"short key":      strings.Replace(text, `"key": "`+fmt.Sprintf("%x", b.Key.Reveal()[:1]), `"key": "`, 1),
		"user":           strings.Replace(text, `"broker_user": "c-001"`, `"broker_user": ""`, 1),
		"password":       strings.Replace(text, `"broker_password": "`, `"broker_password": " `, 1),
		"more behind":    text + "x",
	} {
		t.Run(name, func(t *testing.T) {
			if bad == text {
				t.Fatal("the edit changed nothing")
			}
			_, err := ParseBundle([]byte(bad))
			wantCode(t, err, FileBad)
			if err != nil && strings.Contains(err.Error(), string(b.BrokerPassword.Reveal())) {
				t.Errorf("%v shows the password", err)
			}
		})
	}
}

func TestReadPassphrase(t *testing.T) {
	t.Setenv("CITYGRID_TEST_PASS", "from env\n")
	read := func(source, want string) {
		t.Helper()
		s, err := ReadPassphrase(source)
		if err != nil || string(s.Reveal()) != want {
			t.Errorf("%s: %q, %v; want %q", source, s.Reveal(), err, want)
		}
	}
	read("env:CITYGRID_TEST_PASS", "from env")
	if _, ok := os.LookupEnv("CITYGRID_TEST_PASS"); ok {
		t.Error("the variable is still in the environment")
	}
	read("file:"+writeFile(t, []byte(" two words \r\n"), 0o640), " two words ")
	read("file:"+writeFile(t, []byte("two\n\n"), 0o600), "two\n")
}

func TestReadPassphraseRefuses(t *testing.T) {
	t.Setenv("CITYGRID_TEST_EMPTY", "")
	for _, source := range []string{"", "hunter2", "pass:hunter2", "fd:1", "fd:2", "fd:-1", "fd:x", "fd:65000",
		"env:CITYGRID_TEST_EMPTY", "env:CITYGRID_TEST_UNSET", "file:/no/such/file",
		"file:" + writeFile(t, []byte("\n"), 0o600),
		"file:" + writeFile(t, bytes.Repeat([]byte("x"), maxFile+1), 0o600)} {
		s, err := ReadPassphrase(source)
		if err == nil || !s.IsZero() {
			t.Errorf("%q: accepted", source)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v repeats what may be the passphrase", err)
		}
	}
	if runtime.GOOS != "windows" {
		_, err := ReadPassphrase("file:" + writeFile(t, []byte("p"), 0o644))
		wantCode(t, err, FileMode)
	}
}
