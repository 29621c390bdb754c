package district

import (
	"fmt"

	"citygrid/schemas/codes"
)

// trade is what a department does.
type trade int

// The trades, those that a small district has too before the others.
const (
	water trade = iota
	drainage
	power
	gas
	roads
	sanitation
	enforcement
	telecom
	lighting
	parks
	traffic
	police
	heat
	fire
	transit
	rivers
	housing
	building
	broadcast
	post
	nobody trade = -1
)

// trades are the names of departments in the order of the constants.
func trades() []string {
	return []string{"自来水公司", "排水管理所", "供电公司", "燃气公司", "市政养护所", "环卫所", "城管执法大队", "通信管线公司", "路灯管理所",
		"园林绿化所", "交通设施所", "公安分局", "热力公司", "消防大队", "公交公司", "河道管理所", "民政房管局", "建设工程站", "广电网络公司", "邮政支局"}
}

// item is a class of components, by its code in each list; ours is one of
// citygrid-ext.
type item struct {
	old, new, ours string
	weight         int // how many there are among all
	trade          trade
	accuracy       string
}

// items is the mix of components. Weights are by what public censuses look like:
// covers and lamps, gullies and trees most of all.
func items() []item {
	return []item{
		{"0101", "01001", "", 70, water, "A"}, {"0102", "01002", "", 75, drainage, "A"}, {"0103", "01003", "", 75, drainage, "A"},
		{"0104", "01004", "", 90, drainage, "A"}, {"0105", "01005", "", 40, power, "A"}, {"0106", "01006", "", 25, lighting, "A"},
		{"0107", "01007", "", 60, telecom, "A"}, {"0108", "01008", "", 10, broadcast, "A"}, {"0109", "01009", "", 10, telecom, "A"},
		{"0110", "01010", "", 12, heat, "A"}, {"0111", "01011", "", 40, gas, "A"}, {"0112", "01012", "", 6, police, "A"},
		{"0113", "01013", "", 22, fire, "A"}, {"0114", "01023", "", 14, nobody, "A"}, {"0115", "01027", "", 14, telecom, "B"},
		{"0116", "01028", "", 18, power, "B"}, {"0117", "01031", "", 24, telecom, "A"}, {"0118", "01037", "", 90, lighting, "A"},
		{"0120", "01039", "", 10, lighting, "B"}, {"0121", "01040", "", 2, enforcement, "B"}, {"0122", "01041", "", 3, telecom, "B"},
		{"0123", "01042", "", 3, post, "A"}, {"0125", "01045", "", 3, enforcement, "B"}, {"0126", "01046", "", 8, housing, "B"},
		{"0127", "01019", "", 6, drainage, "A"}, {"0134", "01048", "", 14, power, "B"}, {"0135", "01049", "", 8, gas, "B"},
		{"0136", "01050", "", 20, police, "A"}, {"0203", "02004", "", 10, transit, "B"}, {"0209", "02010", "", 36, traffic, "A"},
		{"0210", "02014", "", 12, traffic, "A"}, {"0211", "02017", "", 20, traffic, "B"}, {"0213", "02012", "", 14, housing, "A"},
		{"0301", "03001", "", 3, sanitation, "B"}, {"0302", "03003", "", 4, sanitation, "B"}, {"0304", "03004", "", 3, sanitation, "B"},
		{"0305", "03005", "", 50, sanitation, "A"}, {"0307", "03006", "", 16, enforcement, "B"}, {"0401", "04001", "", 3, parks, "A"},
		{"0402", "04002", "", 60, parks, "A"}, {"0405", "04013", "", 10, parks, "C"}, {"0407", "04007", "", 12, parks, "A"},
		{"0408", "04008", "", 10, parks, "B"}, {"0501", "03008", "", 6, housing, "B"}, {"0604", "01070", "", 6, rivers, "B"},
		{"", "", "water_valve", 20, water, "A"}, {"", "", "gas_valve", 8, gas, "A"}, {"", "", "concentrator", 5, power, "B"},
	}
}

// matter is a class of events that people report, by its code in each list.
type matter struct {
	old, new string
	weight   int
	trade    trade
}

func matters() []matter {
	return []matter{
		{"0101", "06001", 3, enforcement}, {"0102", "06010", 18, sanitation}, {"0103", "06011", 10, sanitation}, {"0104", "06012", 12, sanitation},
		{"0105", "06025", 3, rivers}, {"0106", "06017", 6, parks}, {"0107", "06034", 2, traffic}, {"0108", "06035", 3, sanitation},
		{"0110", "06013", 6, roads}, {"0112", "06014", 3, sanitation}, {"0201", "07001", 14, enforcement}, {"0203", "07003", 4, enforcement},
		{"0302", "08004", 2, building}, {"0303", "08005", 3, building}, {"0304", "08002", 3, building}, {"0305", "08003", 1, roads},
		{"0407", "10001", 1, roads}, {"0408", "10002", 2, telecom}, {"0501", "09001", 8, enforcement}, {"0504", "09005", 9, enforcement},
		{"0505", "09009", 10, traffic}, {"0506", "09010", 8, enforcement}, {"0507", "06036", 8, enforcement}, {"0511", "06007", 3, enforcement},
	}
}

// class is an item in the list that the district uses.
type class struct {
	item
	ref  codes.Ref
	name string
	// report is the class under which one that is not in order is reported: its own, or
	// in GB/T 47678.5-2026 the matter of it.
	report     codes.Ref
	reportName string
	// count is how many of a deck are of the class, base how many there were before.
	count int
	cover bool
}

// mixture deals the classes of components: the deck has each class by its weight,
// and component n is the card n of decks that all lie in the same order. So the
// serial of a component in its class is known without counting.
type mixture struct {
	classes []class
	deck    []uint8
	rank    []uint16 // how many cards of the same class lie before
	meters  map[string]class
}

func newMixture(seed uint64, standard string, lists *codes.Lists) (mixture, error) {
	m := mixture{meters: map[string]class{}}
	for _, s := range items() {
		c, err := classOf(s, standard, lists)
		if err != nil {
			return m, err
		}
		c.count = s.weight
		for range s.weight {
			m.deck = append(m.deck, uint8(len(m.classes)))
		}
		m.classes = append(m.classes, c)
	}
	for medium, s := range map[string]item{
		"W": {ours: "water_meter", trade: water, accuracy: "B"}, "P": {ours: "power_meter", trade: power, accuracy: "B"},
		"G": {ours: "gas_meter", trade: gas, accuracy: "B"},
	} {
		c, err := classOf(s, standard, lists)
		if err != nil {
			return m, err
		}
		m.meters[medium] = c
	}
	d := newDice(seed, forDeck, 0)
	for i := len(m.deck) - 1; i > 0; i-- {
		j := d.under(i + 1)
		m.deck[i], m.deck[j] = m.deck[j], m.deck[i]
	}
	seen := make([]uint16, len(m.classes))
	for _, c := range m.deck {
		m.rank = append(m.rank, seen[c])
		seen[c]++
	}
	return m, nil
}

func classOf(s item, standard string, lists *codes.Lists) (class, error) {
	ref := codes.Ref{Standard: standard, Kind: codes.Component, Code: s.old}
	switch {
	case s.ours != "":
		ref.Standard, ref.Code = codes.Extension, s.ours
	case standard == codes.GBT47678:
		ref.Code = s.new
	}
	known, err := lists.Lookup(ref)
	if err != nil {
		return class{}, fmt.Errorf("the mix of components: %w", err)
	}
	abnormal, ok := lists.Abnormal(ref)
	if !ok {
		abnormal = known
	}
	return class{item: s, ref: ref, name: known.ZH, report: abnormal.Ref, reportName: abnormal.ZH, cover: s.ours == "" && s.old <= "0114" && s.old != "0104" && s.old != "0113"}, nil
}

// of is the class of component n and its serial in it, from 1.
func (m *mixture) of(n int) (c *class, serial int) {
	deck, card := n/len(m.deck), n%len(m.deck)
	c = &m.classes[m.deck[card]]
	return c, deck*c.count + int(m.rank[card]) + 1
}
