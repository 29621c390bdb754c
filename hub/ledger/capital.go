package ledger

import (
	"strings"

	"citygrid/schemas"
)

// Capital writes an amount as printed papers have it beside the figures, where nobody
// can change a digit (中文大写金额): 人民币壹佰贰拾叁元肆角伍分. It follows the rules for
// filling in bills, Annex 1 of the Measures for Payment and Settlement [支付结算办法,
// 附件一: 正确填写票据和结算凭证的基本规定]: one 零 for the zeros between digits, 整 after
// yuan and after jiao, nothing after fen. Where the rules leave a 零 free, it stands
// for a yuan digit of zero and not for a ten-thousand digit of zero, as in their own
// examples: 壹拾万柒仟元零伍角叁分. Nothing is 人民币零元整, and what is owed begins with
// 负. Every amount has one form, and no two have the same.
func Capital(amount schemas.Fen) string {
	size := uint64(amount)
	sign := ""
	if amount < 0 {
		size, sign = -size, "负"
	}
	yuan, jiao, fen := size/100, size/10%10, size%10
	var out strings.Builder
	out.WriteString("人民币" + sign)
	if yuan > 0 || size == 0 {
		out.WriteString(capitalNumber(yuan) + "元")
	}
	if yuan > 0 && jiao+fen > 0 && (yuan%10 == 0 || jiao == 0) {
		out.WriteString("零")
	}
	if jiao > 0 {
		out.WriteString(capitalDigit(jiao) + "角")
	}
	if fen > 0 {
		out.WriteString(capitalDigit(fen) + "分")
	} else {
		out.WriteString("整")
	}
	return out.String()
}

// capitalDigit writes one digit; each takes three bytes of the text.
func capitalDigit(d uint64) string { return "零壹贰叁肆伍陆柒捌玖"[3*d : 3*d+3] }

// capitalNumber writes a whole number. What has more than eight digits is so many 亿
// and the rest, what has more than four so many 万 and the rest.
func capitalNumber(n uint64) string {
	for _, unit := range []struct {
		size uint64
		name string
	}{{1e8, "亿"}, {1e4, "万"}, {1000, "仟"}, {100, "佰"}, {10, "拾"}} {
		if n < unit.size {
			continue
		}
		text, rest := capitalNumber(n/unit.size)+unit.name, n%unit.size
		switch {
		case rest == 0:
			return text
		case rest < unit.size/10:
			text += "零"
		}
		return text + capitalNumber(rest)
	}
	return capitalDigit(n)
}
