package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLogs keeps the log lines of all programs alike, so that they can be searched: the
// message is a constant text, and after it come pairs of a constant key in snake_case and
// a value. The values may be anything: a secret prints itself as redacted
// (internal/secret).
func TestLogs(t *testing.T) {
	lines := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "tools" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if from, ok := logCall(call); ok {
				lines++
				args := call.Args[from:]
				if call.Ellipsis.IsValid() { // pairs that are made elsewhere
					args = args[:len(args)-1]
				}
				for _, problem := range logProblems(args, from == 0) {
					t.Errorf("%s: %s", files.Position(call.Pos()), problem)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if lines < 50 {
		t.Errorf("only %d log lines found: the test looks in the wrong place", lines)
	}
}

// logCall tells the calls of a slog.Logger: somebody's log or Log, and where its message
// stands; With has none.
func logCall(call *ast.CallExpr) (from int, ok bool) {
	s, isSelector := call.Fun.(*ast.SelectorExpr)
	if !isSelector {
		return 0, false
	}
	var receiver string
	switch x := s.X.(type) {
	case *ast.Ident:
		receiver = x.Name
	case *ast.SelectorExpr:
		receiver = x.Sel.Name
	}
	if receiver != "log" && receiver != "Log" && receiver != "slog" {
		return 0, false
	}
	switch s.Sel.Name {
	case "With", "Debug", "Info", "Warn", "Error":
		return 0, true
	case "DebugContext", "InfoContext", "WarnContext", "ErrorContext":
		return 1, true
	case "Log":
		return 2, true
	}
	return 0, false
}

var snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// logProblems says what is wrong with the arguments of a log line from its message on.
func logProblems(args []ast.Expr, maybeWith bool) (problems []string) {
	if len(args) == 0 {
		return nil
	}
	if len(args)%2 == 1 { // a message, and pairs
		if !constant(args[0]) {
			problems = append(problems, "the message of a log line is no constant text; put what varies into a key")
		}
		args = args[1:]
	} else if !maybeWith {
		return []string{"a key without a value"}
	}
	for n := 0; n+1 < len(args); n += 2 {
		if key, ok := text(args[n]); !ok || !snake.MatchString(key) {
			problems = append(problems, "key "+strconv.Itoa(n/2+1)+" of a log line is no constant in snake_case")
		}
	}
	return problems
}

// constant reports whether e is a text, texts joined, or a name that stands for one.
func constant(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.BinaryExpr:
		_, left := text(x.X)
		_, right := text(x.Y)
		return left && right
	case *ast.Ident, *ast.SelectorExpr:
		return true
	}
	_, ok := text(e)
	return ok
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
