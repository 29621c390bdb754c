package year

import "fmt"

// gbRunes are the characters of the files and their two bytes each, as GB 18030
// has them (the part that it shares with GB/T 2312).
const (
	gbRunes = "订单号类型表户卡购买次数金额元量原时间操作员终端流水售电退费冲正换补写付款张李王赵在线"
	gbBytes = "\xb6\xa9\xb5\xa5\xba\xc5\xc0\xe0\xd0\xcd\xb1\xed\xbb\xa7\xbf\xa8\xb9\xba\xc2\xf2\xb4\xce\xca\xfd\xbd\xf0\xb6\xee\xd4\xaa\xc1\xbf\xd4\xad\xca\xb1\xbc\xe4\xb2\xd9\xd7\xf7\xd4\xb1\xd6\xd5\xb6\xcb\xc1\xf7\xcb\xae\xca\xdb\xb5\xe7\xcd\xcb\xb7\xd1\xb3\xe5\xd5\xfd\xbb\xbb\xb2\xb9\xd0\xb4\xb8\xb6\xbf\xee\xd5\xc5\xc0\xee\xcd\xf5\xd5\xd4\xd4\xda\xcf\xdf"
)

// gb18030 appends a text in GB 18030. It knows ASCII and the characters that the
// files need.
func gb18030(dst []byte, s string) ([]byte, error) {
	for _, r := range s {
		if r < 0x80 {
			dst = append(dst, byte(r))
			continue
		}
		at, found := 0, false
		for _, known := range gbRunes {
			if known == r {
				found = true
				break
			}
			at += 2
		}
		if !found {
			return nil, fmt.Errorf("year: no GB 18030 bytes for %q: add them to gbRunes", r)
		}
		dst = append(dst, gbBytes[at], gbBytes[at+1])
	}
	return dst, nil
}
