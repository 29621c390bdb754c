package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"citygrid/collector/config"
	"citygrid/schemas/seal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"collector": main})
}

// live is a configuration of meters that can be read: two that answer, and one
// that does not.
const live = `collector: c1
bundle: nowhere.bundle
data_dir: data
interval: 200ms
broker: {url: "tcp://127.0.0.1:1"}
lines:
  - name: hall
    address: %q
    timeout: 300ms
    meters:
      - {id: P-1, unit: 1, profile: eastron-sdm630}
      - {id: P-2, unit: 2, profile: eastron-sdm120}
      - {id: P-9, unit: 99, profile: eastron-sdm120}
`

// TestScripts runs the stories in testdata/script. Each finds a valid bundle of
// collector c1 in box.bundle, and meters in live.yaml.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			master, err := seal.NewMaster("test", 1, rand.Reader)
			if err != nil {
				return err
			}
			bundle, err := seal.Issue(master, "310115", "c1", 0, rand.Reader)
			if err != nil {
				return err
			}
			if err := seal.WriteBundle(filepath.Join(env.WorkDir, "box.bundle"), bundle); err != nil {
				return err
			}
			env.Values["master"] = master
			for _, name := range []string{"live", "watched"} {
				meters := newSlave(t)
				env.Defer(meters.close)
				if err := os.WriteFile(filepath.Join(env.WorkDir, name+".yaml"), fmt.Appendf(nil, live, meters.address()), 0o600); err != nil {
					return err
				}
				env.Values[name] = meters
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": exitCode, "await": await, "answer": answer},
	})
}

// await waits until a meter of watched.yaml has been asked for the first time.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: await")
	}
	patience, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	select {
	case <-ts.Value("watched").(*slave).asked:
	case <-patience.Done():
		ts.Fatalf("no meter of watched.yaml is asked")
	}
}

// exitCode runs a command and checks its exit code: code N command args...
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = "?"
		if exit, ok := err.(interface{ ExitCode() int }); ok {
			got = string(rune('0' + exit.ExitCode()))
		}
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s (%v)", got, args[0], err)
	}
}

// TestSampleConfiguration keeps the sample that people get valid and whole:
// every key of the file format stands in it.
func TestSampleConfiguration(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "collector.sample.yaml")
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.BuildLines(); err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(reflect.TypeFor[config.Config]()) {
		if !regexp.MustCompile(`(?m)\b` + key + `:`).Match(sample) {
			t.Errorf("the sample does not show the key %s", key)
		}
	}
}

// yamlKeys returns the keys of a configuration type and of the types in it.
func yamlKeys(t reflect.Type) (keys []string) {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return yamlKeys(t.Elem())
	case reflect.Struct:
		if t.PkgPath() != reflect.TypeFor[config.Config]().PkgPath() {
			return nil
		}
		for i := range t.NumField() {
			if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "" {
				keys = append(append(keys, key), yamlKeys(t.Field(i).Type)...)
			}
		}
	}
	return keys
}
