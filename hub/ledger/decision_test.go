package ledger

import (
	"errors"
	"testing"
)

// TestFollowKnowsThePerson: another way to write a name makes no second person.
func TestFollowKnowsThePerson(t *testing.T) {
	explained := []Decision{{To: Explained, Who: "zhang wei"}}
	adjusted := append(explained[:1:1], Decision{To: Adjusted, Who: "Li"})
	for _, c := range []struct {
		before []Decision
		to     State
		who    string
		same   bool
	}{
		{explained, Adjusted, "zhang wei", true}, {explained, Adjusted, "Zhang Wei", true}, {explained, Adjusted, "ｚhang wei", true},
		{explained, Adjusted, "zhang", false}, {explained, Assigned, "Zhang Wei", false},
		{adjusted, Closed, "LI", true}, {adjusted, Closed, "zhang wei", false},
	} {
		var person *SamePersonError
		if _, err := Follow(c.before, Decision{To: c.to, Who: c.who}); errors.As(err, &person) != c.same || !c.same && err != nil {
			t.Errorf("%s by %s after %s: %v", c.to, c.who, c.before[len(c.before)-1].Who, err)
		}
	}
}
