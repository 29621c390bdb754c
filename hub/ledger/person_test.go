package ledger

import (
	"strings"
	"testing"
)

func TestPersons(t *testing.T) {
	for _, name := range []string{"张三", "Zhang San", "li.si@example.org", strings.Repeat("a", 200)} {
		if err := CheckPerson(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", " ", "Zhang San ", " Zhang", "Zhang  San", "Zhang\u00a0San", "张\u3000三", "a\nb", "a\x1b[2J", strings.Repeat("a", 201)} {
		if err := CheckPerson(name); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{{"zhang", "Zhang", true}, {"Zhang", "Ｚhang", true}, {"张三", "张三", true}, {"zhang", "zhong", false}, {"张三", "张四", false}} {
		if SamePerson(c.a, c.b) != c.same {
			t.Errorf("%q and %q: want %v", c.a, c.b, c.same)
		}
	}
}
