package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// program returns a root with one command, which needs --file and does what
// run says.
func program(run func(context.Context) error, args ...string) (*cobra.Command, *bytes.Buffer) {
	root := &cobra.Command{Use: "prog"}
	cmd := &cobra.Command{Use: "do", RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context()) }}
	cmd.Flags().String("file", "", "a file")
	MustRequire(cmd, "file")
	root.AddCommand(cmd)
	root.SetArgs(args)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	return root, &out
}

func TestMainCodes(t *testing.T) {
	wrong := errors.New("wrong")
	tests := map[string]struct {
		err  error
		args []string
		code int
		want string
	}{
		"done":              {nil, []string{"do", "--file", "x"}, 0, ""},
		"wrong":             {wrong, []string{"do", "--file", "x"}, 2, "prog: wrong\n"},
		"failed":            {Failed(wrong), []string{"do", "--file", "x"}, 1, "prog: wrong\n"},
		"failed, wrapped":   {fmt.Errorf("a: %w", Failed(wrong)), []string{"do", "--file", "x"}, 1, "prog: a: wrong\n"},
		"failed, joined":    {errors.Join(wrong, Failed(wrong)), []string{"do", "--file", "x"}, 1, "prog: wrong\nwrong\n"},
		"failed of nothing": {Failed(nil), []string{"do", "--file", "x"}, 0, ""},
		"flag missing":      {nil, []string{"do"}, 2, "prog: required flag(s) \"file\" not set\n"},
		"no such command":   {nil, []string{"undo"}, 2, "prog: unknown command"},
	}
	for name, tt := range tests {
		root, out := program(func(context.Context) error { return tt.err }, tt.args...)
		if code := Main(root); code != tt.code || !strings.HasPrefix(out.String(), tt.want) || tt.want == "" && out.Len() > 0 {
			t.Errorf("%s: code %d, printed %q; want %d, %q", name, code, out, tt.code, tt.want)
		}
	}
	if !errors.Is(Failed(wrong), wrong) {
		t.Error("Failed hides the error")
	}
}

// TestMainStopsOnSignal interrupts this process, which Main takes as the end of
// the command's context.
func TestMainStopsOnSignal(t *testing.T) {
	root, _ := program(func(ctx context.Context) error {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := self.Signal(os.Interrupt); err != nil {
			t.Skipf("no interrupt on this system: %v", err)
		}
		<-ctx.Done()
		return nil
	}, "do", "--file", "x")
	if code := Main(root); code != 0 {
		t.Errorf("code %d", code)
	}
}

func TestMustRequirePanicsOnAnUnknownFlag(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustRequire(&cobra.Command{}, "nowhere")
}
