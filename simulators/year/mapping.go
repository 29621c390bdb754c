package year

import (
	"strings"

	"citygrid/schemas"
)

// Mapping returns the column mapping with which the hub reads the files of bank
// and alipay of a utility, "sales" or "payments" (docs/settlement-files.md, Other
// formats).
func Mapping(content string, utility schemas.Medium) string {
	unit := "L"
	if utility == schemas.Power {
		unit = "Wh"
	}
	columns := `  meter_number: {from: 表号}
  customer: {from: 户号}
  card: {from: 卡号}
  purchase: {from: 购买次数}
  volume: {from: 量, unit: UNIT}
  undoes: {from: 原订单号}
  operator: {from: 操作员}
  terminal: {from: 终端}
`
	kinds := "购买: purchase, 退费: refund, 冲正: reversal, 换表: transfer, 补写: reissue"
	if content == "payments" {
		columns, kinds = "  reference: {from: 流水号}\n", "付款: payment, 退费: refund"
	}
	return strings.NewReplacer("CONTENT", content, "UTILITY", string(utility), "KINDS", kinds, "COLUMNS\n", strings.Replace(columns, "UNIT", unit, 1)).Replace(mapping)
}

const mapping = `name: year-CONTENT-UTILITY
version: "1"
content: CONTENT
encoding: gb18030
delimiter: ","
lines:
  header: ['^#citygrid,1,(?P<content>[a-z]+),(?P<utility>[a-z]+),(?P<channel>[a-z]+),(?P<day>[0-9-]{10}),(?P<number>[0-9]+)$']
  trailer: ['^#total,(?P<rows>[0-9]+),(?P<debit>[0-9.]+),(?P<credit>[0-9.]+),(?P<digest>[0-9a-f]{64})$']
sums: yuan
names: true
columns:
  order: {from: 订单号}
  kind: {from: 类型, values: {KINDS}}
  amount: {from: "金额(元)", unit: yuan}
  at: {from: 时间, format: "2006-01-02 15:04:05"}
COLUMNS
`
