package yearbooks

import (
	"context"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
)

// settled is for how many days a difference lies before people look at it.
const settled = 3

// decide does what people do about open differences that are some days old: of five,
// one is explained, one given to somebody, one adjusted, one closed, and one waits on.
func (p *eveKeeper) decide(ctx context.Context, upto ledger.Day) error {
	list, _, err := p.books.Differences(ctx, books.DifferenceFilter{Page: books.Page{Limit: pageSize}})
	if err != nil {
		return err
	}
	p.later(time.Hour)
	for i := range list {
		d := &list[i]
		if p.decided[d.Key] || d.Day > upto-settled {
			continue
		}
		for _, step := range p.steps(len(p.decided), d) {
			p.later(7 * time.Minute)
			if _, err := p.books.Decide(ctx, d.Key, step); err != nil {
				return err
			}
			p.eve.Decisions++
		}
		p.decided[d.Key] = true
	}
	return nil
}

// steps are what becomes of the n-th difference.
func (p *eveKeeper) steps(n int, d *books.DifferenceRecord) []ledger.Decision {
	explained := ledger.Decision{To: ledger.Explained, Who: p.o.Clerk, Why: why(d.Class)}
	adjusted := ledger.Decision{To: ledger.Adjusted, Who: p.o.Reviewer, Why: "已核对渠道凭证，按差额调账", Amount: d.Amount, Volume: d.Volume, Evidence: "凭证 " + d.Day.String()}
	switch n % 5 {
	case 0:
		return []ledger.Decision{explained}
	case 1:
		return []ledger.Decision{{To: ledger.Assigned, Who: p.o.Clerk, Why: "请到现场核实表计", Assignee: p.o.Reviewer}}
	case 2:
		return []ledger.Decision{explained, adjusted}
	case 3:
		return []ledger.Decision{explained, adjusted, {To: ledger.Closed, Who: p.o.Approver, Why: "复核无误，结案"}}
	}
	return nil
}

// why is what a clerk would write.
func why(c ledger.Class) string {
	switch {
	case slices.Contains([]ledger.Class{ledger.PaidNoSale, ledger.SaleNoPay, ledger.AmountDiff, ledger.DupPay, ledger.DupSale}, c):
		return "已与渠道对账人员联系，确认为对方系统延迟"
	case slices.Contains([]ledger.Class{ledger.SoldNotLoaded, ledger.Stale}, c):
		return "已电话联系用户，房屋空置"
	}
	return "营业厅确认为操作失误"
}
