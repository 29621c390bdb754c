package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const plain = "k3y-material-of-exactly-32-bytes"

type exported struct{ Inner Secret }

type hidden struct {
	inner  Secret
	behind *Secret
	any    any
	list   []Secret
}

// TestSecretDoesNotPrint sends a Secret through everything that prints or
// encodes, on its own, in exported fields and in unexported ones, whose methods
// fmt does not call.
func TestSecretDoesNotPrint(t *testing.T) {
	s := New(plain)
	h := hidden{s, &s, s, []Secret{s}}
	for _, v := range []any{s, &s, exported{s}, &exported{s}, h, &h, []Secret{s}, map[string]Secret{"k": s}, struct{ H *hidden }{&h}} {
		for _, verb := range "vsqxXdptwboOcUeEfFgGT" {
			for _, flag := range []string{"", "+", "#", "08", " "} {
				format := "%" + flag + string(verb)
				noSecret(t, fmt.Sprintf("%T %s", v, format), fmt.Sprintf(format, v))
			}
		}
		noSecret(t, fmt.Sprintf("%T Sprint", v), fmt.Sprint(v))
		for how, encoded := range encodings(v) {
			noSecret(t, fmt.Sprintf("%T %s", v, how), encoded)
		}
	}
	for _, v := range []any{s, &s, Secret{}} {
		if got := fmt.Sprintf("%v|%+v|%#v|%s|%x", v, v, v, v, v); got != strings.Repeat(redacted+"|", 4)+redacted {
			t.Errorf("%T prints as %s", v, got)
		}
	}
	if got := encodings(exported{s})["JSON"]; got != `{"Inner":"[redacted]"}` {
		t.Errorf("JSON %s", got)
	}
}

// encodings returns what each encoder makes of v; an encoder that refuses v
// gives what it wrote before.
func encodings(v any) map[string]string {
	var gobbed, js, text, logged bytes.Buffer
	_ = gob.NewEncoder(&gobbed).Encode(v)
	_ = json.NewEncoder(&js).Encode(v)
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "v", v)
	ym, _ := yaml.Marshal(v)
	return map[string]string{"gob": gobbed.String(), "JSON": strings.TrimSpace(js.String()), "YAML": string(ym),
		"slog text": text.String(), "slog JSON": logged.String()}
}

func noSecret(t *testing.T, how, printed string) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprint([]byte(plain)[:4]), "[]")
	for _, form := range []string{plain, plain[:8], fmt.Sprintf("%x", plain[:8]), fmt.Sprintf("%X", plain[:8]), decimal, strings.ReplaceAll(decimal, " ", ",")} {
		if strings.Contains(printed, form) {
			t.Errorf("%s shows the secret: %s", how, printed)
		}
	}
}

func TestSecret(t *testing.T) {
	source := []byte("abc")
	s := New(source)
	source[0] = 'x'
	if string(s.Reveal()) != "abc" || s.IsZero() || s.Len() != 3 {
		t.Errorf("a Secret does not keep its own copy: %q", s.Reveal())
	}
	s.Reveal()[0] = 'x'
	if string(s.Reveal()) != "abc" {
		t.Error("Reveal hands out the bytes themselves")
	}
	if !s.Equal(New("abc")) || s.Equal(New("abd")) || s.Equal(Secret{}) {
		t.Error("Equal is wrong")
	}
	same := s
	s.Destroy()
	if !same.IsZero() || !s.IsZero() || len(same.Reveal()) != 0 {
		t.Error("Destroy left a copy")
	}
	Secret{}.Destroy()
}
