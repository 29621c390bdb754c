package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "citygrid"

// mayImport lists, for each package (or "folder/..." for all below it), the
// packages of this project that its code may import. Tests are free, except
// for the rules in forbidden.
var mayImport = map[string][]string{
	"schemas":                      {"internal/cbor", "internal/strictjson"},
	"schemas/seal":                 {"schemas", "internal/cbor", "internal/durable", "internal/secret", "internal/strictjson"},
	"internal/durable":             {},
	"internal/adversary":           {"*"},
	"internal/backup":              {"internal/durable", "internal/gm", "internal/sqldb"},
	"internal/certs":               {"internal/durable", "internal/secret"},
	"internal/chaos":               {"*"},
	"internal/clientaddr":          {},
	"internal/httpd":               {"internal/clientaddr"},
	"internal/outage":              {"*"},
	"deploy":                       {},
	"internal/child":               {},
	"internal/secret":              {},
	"internal/spreadsheet":         {},
	"internal/sqldb":               {},
	"internal/cbor":                {},
	"internal/cli":                 {},
	"internal/counters":            {},
	"internal/strictjson":          {},
	"internal/strictyaml":          {},
	"internal/mqttlink":            {"internal/secret"},
	"internal/influxd":             {"internal/child"},
	"internal/influxd/influxtest":  {"internal/influxd"},
	"internal/imports":             {},
	"internal/city":                {"*"},
	"dashboards":                   {},
	"dashboards/grafana":           {},
	"internal/yeargrid":            {"hub/cases", "hub/cases/...", "hub/registry", "hub/registry/...", "schemas", "schemas/codes", "simulators/district"},
	"internal/yearbooks":           {"hub/ledger", "hub/ledger/...", "schemas", "simulators/year"},
	"internal/soak":                {"*"},
	"internal/peers":               {"*"},
	"internal/interop":             {},
	"internal/probe":               {"adapters", "adapters/...", "collector", "collector/config", "internal/cli", "internal/durable", "schemas"},
	"adapters":                     {"schemas"},
	"adapters/adaptertest":         {"adapters", "schemas"},
	"adapters/ask":                 {"adapters", "adapters/line", "schemas"},
	"adapters/catalog":             {"internal/strictyaml", "schemas"},
	"adapters/catalog/catalogtest": {"adapters/catalog", "schemas"},
	"adapters/cardslot":            {"adapters/cardslot/...", "internal/durable", "schemas"},
	"adapters/cardslot/apdu":       {"schemas"},
	"adapters/cardslot/cardfile":   {"schemas"},
	"adapters/cardslot/pcsc":       {"adapters/cardslot"},
	"internal/pcscd":               {"adapters/cardslot/pcsc", "internal/child"},
	"internal/pgtest":              {"internal/child"},
	"internal/gm":                  {},
	"adapters/meterclock":          {"adapters/catalog"},
	"adapters/line":                {"adapters"},
	"adapters/modbus/profiles":     {"adapters/catalog", "internal/strictyaml", "schemas"},
	"adapters/modbus":              {"adapters", "adapters/ask", "adapters/catalog", "adapters/line", "adapters/meterclock", "adapters/modbus/profiles", "schemas"},
	"adapters/dlt645/profiles":     {"adapters/catalog", "internal/strictyaml", "schemas"},
	"adapters/dlt645":              {"adapters", "adapters/ask", "adapters/catalog", "adapters/dlt645/profiles", "adapters/line", "adapters/meterclock", "schemas"},
	"adapters/cjt188/profiles":     {"adapters/catalog", "internal/strictyaml", "schemas"},
	"adapters/cjt188":              {"adapters", "adapters/ask", "adapters/catalog", "adapters/cjt188/profiles", "adapters/line", "adapters/meterclock", "schemas"},
	"collector/spool":              {"internal/durable"},
	"collector/verdict":            {"schemas"},
	"collector":                    {"adapters", "adapters/cardslot", "collector/detect", "collector/spool", "collector/verdict", "internal/counters", "internal/durable", "internal/mqttlink", "schemas", "schemas/seal"},
	"collector/config":             {"adapters", "adapters/...", "collector", "collector/detect", "collector/verdict", "internal/strictyaml", "schemas", "schemas/seal"},
	"broker-config":                {"schemas", "internal/durable"},
	"broker-config/brokertest":     {"broker-config", "internal/child"},
	"hub/enrolment":                {"broker-config", "internal/durable", "internal/gm", "internal/secret", "internal/strictjson", "internal/strictyaml", "schemas", "schemas/seal"},
	"hub/ingest":                   {"internal/counters", "internal/durable", "internal/mqttlink", "schemas", "schemas/seal"},
	"hub/store":                    {"internal/secret", "schemas"},
	"hub/accounts/oidc":            {"internal/secret"},
	"hub/api":                      {"dashboards", "hub/accounts", "hub/accounts/oidc", "hub/cases", "hub/cases/...", "hub/completeness", "hub/consumption", "hub/ledger", "hub/ledger/...", "hub/registry", "hub/registry/...", "hub/rollup", "internal/clientaddr", "internal/secret", "internal/spreadsheet", "schemas", "schemas/codes"},
	"hub/completeness":             {"internal/counters", "internal/sqldb", "schemas"},
	"hub/consumption":              {"schemas"},
	"hub/rollup":                   {"hub/consumption", "hub/store", "schemas"},
	"hub/ledger":                   {"internal/gm", "schemas"},
	"hub/ledger/tariff":            {"internal/strictyaml", "schemas"},
	"hub/ledger/reconcile":         {"hub/ledger", "hub/ledger/tariff", "schemas"},
	"hub/ledger/books":             {"hub/ledger", "hub/ledger/...", "internal/gm", "internal/sqldb", "schemas"},
	"hub/ledger/intake":            {"hub/ledger", "hub/ledger/sts", "internal/gm", "internal/strictyaml", "schemas"},
	"hub/ledger/statement":         {"hub/ledger", "hub/ledger/reconcile", "internal/gm", "internal/spreadsheet", "schemas"},
	"hub/ledger/billing":           {"hub/ledger", "hub/ledger/tariff", "schemas"},
	"hub/ledger/clearing":          {"hub/ledger", "hub/ledger/intake", "internal/gm", "schemas"},
	"hub/ledger/sts":               {"schemas"},
	"schemas/codes":                {"internal/strictyaml"},
	"collector/detect":             {"schemas"},
	"hub/registry":                 {"schemas", "schemas/codes"},
	"hub/registry/geo":             {"hub/registry", "schemas", "schemas/codes"},
	"hub/registry/census":          {"hub/registry", "hub/registry/geo", "internal/strictjson", "internal/strictyaml", "schemas", "schemas/codes"},
	"hub/registry/assets":          {"hub/registry", "hub/registry/...", "internal/gm", "internal/sqldb", "schemas", "schemas/codes"},
	"hub/cases":                    {"internal/gm", "internal/strictjson", "schemas", "schemas/codes"},
	"hub/cases/limits":             {"hub/cases", "internal/strictyaml", "schemas/codes"},
	"hub/cases/indicators":         {"hub/cases", "hub/cases/limits", "internal/spreadsheet", "schemas/codes"},
	"hub/cases/desk":               {"hub/cases", "hub/cases/...", "internal/gm", "internal/sqldb", "schemas", "schemas/codes"},
	"hub/accounts":                 {"internal/clientaddr", "internal/gm", "internal/secret", "internal/sqldb", "schemas"},
	"hub/media":                    {"internal/durable", "internal/gm", "internal/secret", "schemas"},
	"hub/webhook":                  {"internal/secret", "internal/sqldb"},
	"hub/config":                   {"internal/strictyaml", "schemas", "schemas/seal"},
	"simulators/...":               {"internal/gm", "adapters/modbus/profiles", "adapters/dlt645/profiles", "adapters/cjt188/profiles", "schemas", "schemas/codes", "simulators/..."},
	"cmd/collector":                {"adapters", "adapters/cardslot/...", "collector/...", "internal/cli", "internal/durable", "internal/mqttlink", "internal/probe", "schemas", "schemas/seal"},
	"cmd/citygrid":                 {"*"},
}

// homes gives each outside module that matters its one place, so that changing
// a library touches one folder.
var homes = map[string][]string{
	"github.com/goburrow/modbus":               {"adapters/modbus"},
	"github.com/tjfoc/gmsm":                    {"schemas/seal"},
	"github.com/emmansun/gmsm":                 {"schemas/seal", "internal/gm"},
	"github.com/eclipse/paho.mqtt.golang":      {"internal/mqttlink"},
	"github.com/influxdata/influxdb-client-go": {"hub/store"},
	"github.com/nats-io/nats-server":           {"broker-config"},
	"github.com/fxamacker/cbor":                {"schemas"},
	"github.com/danielgtaylor/huma":            {"hub/api"},
	"github.com/spf13/cobra":                   {"internal/cli", "internal/probe", "cmd/citygrid", "cmd/collector"},
	"go.bug.st/serial":                         {"adapters/line"},
	"github.com/uptrace/bun":                   {"internal/sqldb", "hub/ledger/books", "hub/registry/assets", "hub/cases/desk", "hub/accounts", "hub/completeness"},
	"github.com/pressly/goose":                 {"internal/sqldb"},
	"modernc.org/sqlite":                       {"internal/sqldb"},
	"github.com/jackc/pgx":                     {"internal/sqldb"},
	"github.com/xuri/excelize":                 {"hub/ledger/statement", "hub/cases/indicators", "hub/api"},
	"golang.org/x/text":                        {"hub/ledger/intake", "hub/ledger/statement", "hub/registry/census"},
	"github.com/paulmach/orb":                  {"hub/registry/geo", "hub/registry/census"},
	"github.com/tidwall/rtree":                 {"hub/registry/geo"},
	"github.com/jonas-p/go-shp":                {"hub/registry/census"},
	"github.com/minio/minio-go":                {"hub/media"},
	"golang.org/x/crypto":                      {"hub/accounts"},
	"github.com/coreos/go-oidc":                {"hub/accounts/oidc"},
	"golang.org/x/oauth2":                      {"hub/accounts/oidc"},
	"github.com/bep/imagemeta":                 {"hub/media"},
	"github.com/creack/pty":                    {"simulators/lab"},
	"github.com/prometheus/client_golang":      {"internal/counters", "collector", "hub/ingest", "hub/api", "cmd/citygrid", "cmd/collector"},
}

// bannedCalls are the parts of tjfoc/gmsm that are broken or dangerous
// [docs/decisions]: its own modes share keystream, skip the tag or panic, its
// global IV is shared by everyone, and its TLS server can be killed by one
// message.
var bannedCalls = []string{
	"Sm4GCM", "GCMEncrypt", "GCMDecrypt", "Sm4Cbc", "Sm4Ecb", "Sm4CFB", "Sm4OFB", "SetIV", "IV",
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

// rel returns the path inside the module; ok is false for other modules.
func rel(path string) (string, bool) { return strings.CutPrefix(path, module+"/") }

func matches(pattern, path string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	return pattern == "*" || pattern == path
}

func allowed(path string) ([]string, bool) {
	if list, ok := mayImport[path]; ok {
		return list, true
	}
	for pattern, list := range mayImport {
		if matches(pattern, path) {
			return list, true
		}
	}
	return nil, false
}

func TestPackagesImportOnlyWhatThePolicyAllows(t *testing.T) {
	for _, p := range listPackages(t) {
		path, ok := rel(p.ImportPath)
		if !ok {
			continue
		}
		list, known := allowed(path)
		if !known {
			t.Errorf("package %s is not in the import policy: say there what it may import", path)
			continue
		}
		for _, imported := range p.Imports {
			if other, ok := rel(imported); ok && !slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, other) }) {
				t.Errorf("%s must not import %s", path, other)
			}
		}
	}
}

func TestOutsideModulesHaveOneHome(t *testing.T) {
	for _, p := range listPackages(t) {
		path, ok := rel(p.ImportPath)
		if !ok {
			continue
		}
		for _, imported := range p.Imports {
			for outside, home := range homes {
				if strings.HasPrefix(imported, outside) && !slices.Contains(home, path) {
					t.Errorf("%s must not import %s: its home is %s", path, imported, strings.Join(home, ", "))
				}
			}
		}
	}
}

// TestTestsKeepTheGreatDivides checks what holds for tests too: field and
// centre never meet, and simulators never see the decoder they are to check.
func TestTestsKeepTheGreatDivides(t *testing.T) {
	divides := []struct{ from, to string }{
		{"collector/...", "hub/..."},
		{"hub/...", "collector/..."},
		{"simulators/...", "adapters/modbus"},
		{"simulators/...", "adapters/dlt645"},
		{"simulators/...", "adapters/cjt188"},
		{"simulators/...", "adapters/line"},
		{"schemas/...", "collector/..."},
		{"schemas/...", "hub/..."},
	}
	for _, p := range listPackages(t) {
		path, ok := rel(p.ImportPath)
		if !ok {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			other, ok := rel(imported)
			if !ok {
				continue
			}
			for _, d := range divides {
				if matches(d.from, path) && matches(d.to, other) {
					t.Errorf("%s must not import %s, not even in a test", path, other)
				}
			}
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	for dir, files := range goFiles(t) {
		documented := 0
		for _, f := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc != nil {
				documented++
			}
		}
		if documented != 1 {
			t.Errorf("%s: %d files with a package comment, want 1", dir, documented)
		}
	}
}

// TestBannedCallsOfTjfoc reads every file that imports a package of tjfoc/gmsm.
func TestBannedCallsOfTjfoc(t *testing.T) {
	seen := false
	for _, files := range goFiles(t) {
		for _, path := range files {
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for name, imported := range tjfocImports(f) {
				seen = true
				if strings.HasSuffix(imported, "/gmtls") {
					t.Errorf("%s imports %s, which one message can kill", path, imported)
				}
				for _, call := range selectors(f, name) {
					if slices.Contains(bannedCalls, call) || strings.HasSuffix(imported, "/sm2") && call == "Decrypt" {
						t.Errorf("%s uses %s.%s, which is banned", path, imported, call)
					}
				}
			}
		}
	}
	if !seen {
		t.Error("no file imports tjfoc/gmsm: the second provider is gone, or this test looks in the wrong place")
	}
}

// tjfocImports returns the local name of each tjfoc package that f imports.
func tjfocImports(f *ast.File) map[string]string {
	names := make(map[string]string)
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if !strings.HasPrefix(path, "github.com/tjfoc/gmsm") {
			continue
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}

// selectors returns what f uses of the package with the local name.
func selectors(f *ast.File, name string) (used []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
				used = append(used, s.Sel.Name)
			}
		}
		return true
	})
	return used
}

// goFiles returns the project's non-test Go files by folder.
func goFiles(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	files := make(map[string][]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case "node_modules", "tools", "testdata", "bin", ".git":
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files[filepath.Dir(path)] = append(files[filepath.Dir(path)], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
