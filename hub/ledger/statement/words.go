package statement

import (
	"fmt"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Language is that of a printed form.
type Language string

// The languages.
const (
	Chinese Language = "zh-CN"
	English Language = "en"
)

// ParseLanguage reads "zh-CN", "zh" or "en".
func ParseLanguage(s string) (Language, error) {
	switch s {
	case "zh", "zh-CN":
		return Chinese, nil
	case "en":
		return English, nil
	}
	return "", fmt.Errorf("language %q: want zh-CN or en", s)
}

// words are what stands on a form in one language.
type words struct {
	title, none                                                          string
	summary, ledgers, rolls, differences, ageing, provenance             string
	signatures                                                           string
	item, value, unit                                                    string
	utility, period, cutOff, run, rules, prepared, rows                  string
	runText                                                              string // version, id
	saleRows, paymentRows, entryRows, refusedRows                        string
	matched, agreed, open, unloaded, prepaid, overdraft, overdrawn, join string
	unknownSales, unknownEntries                                         string
	coverage, coverageText                                               string // heard, all, per cent
	channel, sales, payments, paymentsLessSales, total                   string
	count, amount, volume                                                string
	opening, ofSpan, amountDiff, duplicates, decided, closing            string
	sold, transferred, undone, loaded, found, cleared, change            string
	class, credit, installations, heard, stale                           string
	day, age, state, order, meter, purchase, card                        string
	shown, expected, note, key                                           string
	matchRoll, purchaseRoll, classRoll, stockRoll                        string
	upTo1, upTo3, upTo7, upTo30, older                                   string
	name, digest, statementDigest, tariff, input                         string
	role, person, at, signature, signed                                  string
	more                                                                 string
	byRole                                                               map[Role]string
	byClass                                                              map[ledger.Class]string
	byState                                                              map[ledger.State]string
	byUtility                                                            map[schemas.Medium]string
}

func wordsOf(l Language) *words {
	if l == English {
		return english()
	}
	return chinese()
}

func english() *words {
	return &words{
		title: "Statement of reconciliation", none: "none",
		summary: "Summary", ledgers: "Ledgers side by side", rolls: "Roll-forwards", differences: "Open differences",
		ageing: "Age of what is open", provenance: "What this was made of", signatures: "Signatures",
		item: "Item", value: "Value", unit: "Unit",
		utility: "Utility", period: "Accounting days", cutOff: "Cut-off", run: "Run", rules: "Rules", prepared: "Prepared by", rows: "rows",
		runText: "version %d (run %d)", saleRows: "Sales rows taken", paymentRows: "Payment rows taken", entryRows: "Card and meter entries taken",
		refusedRows: "Rows left out", matched: "Matched, sales side", agreed: "matched", join: " ", open: "Open differences", unloaded: "Sold and not loaded (liability)",
		prepaid: "Credit in the meters (prepaid liability)", overdraft: "Owed by customers (overdraft)", overdrawn: "Overdraft",
		coverage: "Coverage", coverageText: "%d of %d installations heard (%s %%), %d stale",
		unknownSales: "Sales of meters not in the register", unknownEntries: "Card entries of meters not in the register",
		channel: "Channel", sales: "Sales", payments: "Payments", paymentsLessSales: "Payments - sales", total: "Total",
		count: "Count", amount: "Yuan", volume: "Volume",
		opening: "Opening", ofSpan: "Of the span", amountDiff: "Amount differs", duplicates: "Duplicates", decided: "Decided", closing: "Closing",
		sold: "Sold", transferred: "Transferred", undone: "Undone", loaded: "Loaded", found: "Found", cleared: "Cleared", change: "Change",
		class: "Class", credit: "Credit", installations: "Installations", heard: "Heard", stale: "Stale",
		day: "Day", age: "Days", state: "State", order: "Order", meter: "Meter", purchase: "Purchase", card: "Card",
		shown: "Shown", expected: "Expected", note: "Note", key: "Key",
		matchRoll:    "Sales and payments: opening + rows - matched - differing - duplicates - decided = closing",
		purchaseRoll: "Purchases: opening + sold + transferred - undone - loaded = closing",
		classRoll:    "Classes: opening + found - cleared - decided = closing", stockRoll: "Meters: opening + change = closing",
		upTo1: "up to 1 day", upTo3: "2 to 3 days", upTo7: "4 to 7 days", upTo30: "8 to 30 days", older: "over 30 days",
		name: "Name", digest: "SM3 digest or version", statementDigest: "SM3 digest of this statement", tariff: "Tariff %s", input: "Input %s",
		role: "Role", person: "Name", at: "Time", signature: "Signature", signed: "signed with SM2", more: "... and %d more; the CSV and XLSX files have all",
		byRole: map[Role]string{PreparedBy: "Prepared by", ReviewedBy: "Reviewed by", ApprovedBy: "Approved by"},
		byClass: map[ledger.Class]string{ledger.PaidNoSale: "Paid, no sale", ledger.SaleNoPay: "Sold, no payment", ledger.AmountDiff: "Amount differs",
			ledger.DupSale: "Sold twice", ledger.DupPay: "Paid twice", ledger.SoldNotLoaded: "Sold, not loaded", ledger.LoadedNotSold: "Loaded, not sold",
			ledger.CounterGap: "Number missing", ledger.LoadAmountDiff: "Load amount differs", ledger.CumDrift: "Cumulative bought off",
			ledger.ResidualDrift: "Residual off", ledger.Reversed: "Reversal incomplete", ledger.CardReplaced: "Card replacement",
			ledger.MeterReplaced: "Meter replacement", ledger.Stale: "Not heard", ledger.ReverseFlow: "Ran backwards"},
		byState: map[ledger.State]string{ledger.Open: "open", ledger.Explained: "explained", ledger.Assigned: "assigned",
			ledger.Adjusted: "adjusted", ledger.Closed: "closed"},
		byUtility: map[schemas.Medium]string{schemas.Water: "water", schemas.Power: "power", schemas.Gas: "gas"},
	}
}

func chinese() *words {
	return &words{
		title: "对账单", none: "无",
		summary: "汇总", ledgers: "各账并列", rolls: "滚动平衡", differences: "未结差异",
		ageing: "未结差异账龄", provenance: "依据", signatures: "签字",
		item: "项目", value: "内容", unit: "单位",
		utility: "专业", period: "账期日", cutOff: "日切", run: "对账批次", rules: "规则版本", prepared: "对账员", rows: "行",
		runText: "第 %d 版（批次 %d）", saleRows: "售充记录", paymentRows: "收款记录", entryRows: "卡表记录",
		refusedRows: "未采用记录", matched: "平账（售充侧）", agreed: "平账", join: "", open: "未结差异", unloaded: "售未充（负债）",
		prepaid: "表内余额（预收）", overdraft: "透支（应收）", overdrawn: "透支",
		coverage: "覆盖率", coverageText: "%[2]d 只表中 %[1]d 只有回抄（%[3]s %%），%[4]d 只无回抄",
		unknownSales: "表未建档的售充记录", unknownEntries: "表未建档的卡表记录",
		channel: "渠道", sales: "售充", payments: "收款", paymentsLessSales: "收款减售充", total: "合计",
		count: "笔数", amount: "金额（元）", volume: "数量",
		opening: "期初", ofSpan: "本期", amountDiff: "金额不符", duplicates: "重复", decided: "已处理", closing: "期末",
		sold: "售出", transferred: "转入", undone: "冲退", loaded: "已充", found: "新增", cleared: "消除", change: "变动",
		class: "类别", credit: "余额", installations: "在装", heard: "有回抄", stale: "无回抄",
		day: "账期日", age: "天数", state: "状态", order: "订单", meter: "表", purchase: "次数", card: "卡号",
		shown: "实际", expected: "应为", note: "说明", key: "标识",
		matchRoll: "售充与收款：期初＋本期－平账－金额不符－重复－已处理＝期末", purchaseRoll: "售充：期初＋售出＋转入－冲退－已充＝期末",
		classRoll: "差异：期初＋新增－消除－已处理＝期末", stockRoll: "表内：期初＋变动＝期末",
		upTo1: "1 天以内", upTo3: "2 至 3 天", upTo7: "4 至 7 天", upTo30: "8 至 30 天", older: "30 天以上",
		name: "名称", digest: "SM3 摘要或版本", statementDigest: "本对账单 SM3 摘要", tariff: "价格 %s", input: "输入 %s",
		role: "角色", person: "姓名", at: "时间", signature: "签字", signed: "已用 SM2 签名", more: "……另有 %d 条，见 CSV 与 XLSX 文件",
		byRole: map[Role]string{PreparedBy: "对账", ReviewedBy: "复核", ApprovedBy: "批准"},
		byClass: map[ledger.Class]string{ledger.PaidNoSale: "长款", ledger.SaleNoPay: "短款", ledger.AmountDiff: "金额不符",
			ledger.DupSale: "重复售", ledger.DupPay: "重复付", ledger.SoldNotLoaded: "售未充", ledger.LoadedNotSold: "充未售",
			ledger.CounterGap: "次数断号", ledger.LoadAmountDiff: "充值金额不符", ledger.CumDrift: "累计购不符",
			ledger.ResidualDrift: "剩余漂移", ledger.Reversed: "冲正异常", ledger.CardReplaced: "补卡异常",
			ledger.MeterReplaced: "换表异常", ledger.Stale: "无回抄", ledger.ReverseFlow: "倒走"},
		byState: map[ledger.State]string{ledger.Open: "未处理", ledger.Explained: "已说明", ledger.Assigned: "已分派",
			ledger.Adjusted: "已调整", ledger.Closed: "已关闭"},
		byUtility: map[schemas.Medium]string{schemas.Water: "水", schemas.Power: "电", schemas.Gas: "燃气"},
	}
}
