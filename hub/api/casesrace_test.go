package api

import (
	"context"
	"strings"
	"testing"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
)

// overtaken is a desk where somebody else does something to a case after an act has
// been read, and before it is done.
type overtaken struct {
	CaseDesk
	first func(context.Context) error
}

func (o *overtaken) ActAll(ctx context.Context, list []desk.Submission) ([]desk.Result, error) {
	if first := o.first; first != nil {
		o.first = nil
		if err := first(ctx); err != nil {
			return nil, err
		}
	}
	return o.CaseDesk.ActAll(ctx, list)
}

// TestOvertaken: what a person saw is compared with the case in the transaction of the
// act, not before it.
func TestOvertaken(t *testing.T) {
	for name, header := range map[string][]string{"expect_entries": nil, "If-Match": {"If-Match", `"1"`}, "one of several": {"If-Match", `"9", "1"`}} {
		var between *overtaken
		tn := openTown(t, func(c *Cases) {
			between = &overtaken{CaseDesk: c.Desk}
			c.Desk = between
		})
		id := tn.report(t)
		note := cases.Entry{Case: cases.CaseID(id), Act: cases.ActNote, Actor: cases.Actor{Person: "ins", Role: cases.Inspector}, Text: "wait"}
		between.first = func(ctx context.Context) error {
			_, err := tn.desk.Act(ctx, desk.Submission{Entry: note})
			return err
		}
		body := `{"act":"accept"}`
		if header == nil {
			body = `{"act":"accept","expect_entries":1}`
		}
		w := tn.do(t, "acc", "POST", "/api/v1/cases/"+id+"/acts", body, 412, nil, header...)
		if codeOf(t, w) != codeStale || !strings.Contains(w.Body.String(), "2 entries") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

// TestTagsOfACase: a tag that no case has is stale, a weak one compares with none [RFC
// 9110 13.1.1], and two wishes that differ are met by nothing.
func TestTagsOfACase(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	for _, tt := range []struct {
		tag, expect string
		want        int
	}{
		{`"1"`, "", 201}, {`"*"`, "", 412}, {`*`, "", 201}, {`W/"3"`, "", 412}, {`"03"`, "", 412}, {`"3"`, `,"expect_entries":2`, 412}, {`"3"`, `,"expect_entries":3`, 201}, {`"x", "4"`, "", 201}, {`"x", "y"`, "", 412},
	} {
		tn.do(t, "acc", "POST", "/api/v1/cases/"+id+"/acts", `{"act":"note","text":"x"`+tt.expect+`}`, tt.want, nil, "If-Match", tt.tag)
	}
}
