package district

import "fmt"

// words are syllables of invented names.
func words() (first, second []string) {
	return []string{"柳", "枫", "云", "溪", "桥", "梅", "竹", "荷", "松", "杏", "石", "月", "清", "泉", "燕", "鹤", "兰", "棠", "禾", "苇", "桐", "榆", "岚", "汀"},
		[]string{"岸", "渡", "塘", "湾", "浦", "浜", "里", "坊", "墩", "园", "泾", "港", "堤", "圩", "巷", "亭", "洲", "岭", "埭", "村"}
}

// name is the n-th of the names of a kind, without repeating one before all are used.
func (d *District) name(kind, n int) string {
	first, second := words()
	all := len(first) * len(second)
	at := (n*169 + kind*97 + int(d.o.Seed%uint64(all))) % all // 169 and 480 have no common factor
	s := first[at%len(first)] + second[at/len(first)]
	if again := n / all; again > 0 {
		s += fmt.Sprint(again + 1)
	}
	return s
}

func (d *District) streetName(street int) string { return d.name(1, street) + "街道" }

func (d *District) communityName(c *community) string {
	return d.name(2, c.street*97+c.number) + "社区"
}

// roadName is what a line of the grid is called: columns are 路, rows 街.
func (d *District) roadName(line int, down bool) string {
	if down {
		return d.name(3, line) + "路"
	}
	return d.name(4, line) + "街"
}

// personName invents a name.
func (d *District) personName(n int) string {
	families := []string{"赵", "钱", "孙", "李", "周", "吴", "郑", "王", "冯", "陈", "褚", "卫", "蒋", "沈", "韩", "杨", "朱", "秦", "许", "何"}
	given := []string{"一帆", "小禾", "文清", "子墨", "海棠", "建平", "晓峰", "丽云", "志远", "春燕", "国安", "雨桐", "秋实", "亚楠", "东升", "静宜"}
	r := newDice(d.o.Seed, forNames, uint64(n))
	return pick(&r, families) + pick(&r, given)
}
