package seal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"citygrid/internal/secret"
	"citygrid/schemas"
)

// TestSecretsDoNotPrint sends every type that holds a secret through everything
// that prints, also inside other structures and as unexported fields.
func TestSecretsDoNotPrint(t *testing.T) {
	const plain = "k3y-material-of-exactly-32-bytes"
	key, err := NewCollectorKey([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	hush := secret.New(plain)
	master := Master{Tenant: "t", Generation: 1, Secret: hush}
	bundle := Bundle{Tenant: "t", Area: "310110", Collector: schemas.CollectorID("c"), Key: key, BrokerPassword: hush}
	type hidden struct{ inner any }
	type hiddenKey struct{ key CollectorKey }
	values := []any{key, &key, master, &master, bundle, &bundle,
		hidden{master}, hiddenKey{key}, &hiddenKey{key}, map[string]CollectorKey{"k": key},
		SealerConfig{Key: key}, struct{ M *Master }{&master}}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%w", "%08b"} {
			noSecret(t, fmt.Sprintf("%T %s", v, verb), fmt.Sprintf(verb, v), plain)
		}
		noSecret(t, "Sprint", fmt.Sprint(v), plain)
		if js, err := json.Marshal(v); err == nil {
			noSecret(t, fmt.Sprintf("%T JSON", v), string(js), plain)
		}
		if ym, err := yaml.Marshal(v); err == nil {
			noSecret(t, fmt.Sprintf("%T YAML", v), string(ym), plain)
		}
		var text, js bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v)
		noSecret(t, fmt.Sprintf("%T slog", v), text.String()+js.String(), plain)
	}
	for _, v := range []any{key, master, &master} {
		if got := fmt.Sprintf("%v|%+v|%#v|%s|%x", v, v, v, v, v); got != strings.Repeat("[redacted]|", 4)+"[redacted]" {
			t.Errorf("%T prints as %s", v, got)
		}
	}
}

func noSecret(t *testing.T, how, printed, plain string) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprint([]byte(plain)[:4]), "[]")
	for _, form := range []string{plain, plain[:8], fmt.Sprintf("%x", plain[:8]), fmt.Sprintf("%X", plain[:8]), decimal, strings.ReplaceAll(decimal, " ", ",")} {
		if strings.Contains(printed, form) {
			t.Errorf("%s shows the secret: %s", how, printed)
		}
	}
}
