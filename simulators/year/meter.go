package year

// meter is one physical meter: what it has measured and what is in its purse.
// Times are Unix seconds.
type meter struct {
	w    *World
	plan *plan
	// volume: the purse counts what the meter counts; else fen.
	volume bool
	// use[i] is what the place has used before day i of the world.
	use    []int64
	byRate [][rates]int64 // the same by rate, for time of use
	zones  []rateZone
	// clock is how much the meter's clock is ahead.
	clock int64
	// at: the purse is charged up to here. base is the use of the place when
	// the meter was installed, since that when its steps began.
	at, base, since int64
	baseByRate      [rates]int64
	edge, set       int
	// balance is in litres, watt-hours or fen/perFen.
	balance int64
	count   uint32
	bought  int64
	// shift is what a tampered register shows too little.
	shift int64
}

// shown is what a meter shows.
type shown struct {
	at                int64 // true time
	count             uint32
	net, bought, used int64
	byRate            [rates]int64
}

// lastDigit is what the smallest digit of a register stands for: 10 L or 10 Wh.
const lastDigit = 10

// useAt returns what the place has used before t.
func (m *meter) useAt(t int64) int64 {
	i, rest := m.w.split(t)
	return m.use[i] + (m.use[i+1]-m.use[i])*rest/day
}

// rateUse returns the same by rate. Purse and registers of a meter agree on what
// is which rate, so its clock does not matter here.
func (m *meter) rateUse(t int64) [rates]int64 {
	i, rest := m.w.split(t)
	sum, today := m.byRate[i], m.use[i+1]-m.use[i]
	addDay(&sum, m.zones, today, rest)
	return sum
}

// addDay adds what is used of today in the first seconds of the day.
func addDay(sum *[rates]int64, zones []rateZone, today, seconds int64) {
	for z := range len(zones) - 1 {
		from, to := zones[z].second, min(zones[z+1].second, seconds)
		if from >= seconds {
			return
		}
		sum[zones[z].rate] += today*to/day - today*from/day
	}
}

// install starts the meter at t with nothing in it.
func (m *meter) install(t int64) {
	m.at, m.base, m.since = t, m.useAt(t), m.useAt(t)
	m.balance, m.count, m.bought, m.shift, m.edge, m.set = 0, 0, 0, 0, 0, 0
	if m.plan.shape == timeOfUse {
		m.baseByRate = m.rateUse(t)
	}
	for m.edge < len(m.plan.edges) && m.plan.edges[m.edge].at+m.clock <= t {
		m.cross()
	}
	m.since = m.base
}

// cross takes the next edge.
func (m *meter) cross() {
	if m.plan.edges[m.edge].reset {
		m.since = m.useAt(m.plan.edges[m.edge].at + m.clock)
	} else {
		m.set++
	}
	m.edge++
}

// advance charges the purse for the use up to t.
func (m *meter) advance(t int64) {
	for m.at < t {
		to, crossing := t, false
		if m.edge < len(m.plan.edges) {
			if at := m.plan.edges[m.edge].at + m.clock; at <= t {
				to, crossing = at, true
			}
		}
		m.balance -= m.charge(m.at, to)
		m.at = to
		if crossing {
			m.cross()
		}
	}
}

// charge returns the cost of the use between two moments without an edge between.
func (m *meter) charge(from, to int64) int64 {
	a, b := m.useAt(from), m.useAt(to)
	switch set := &m.plan.Sets[m.set]; {
	case m.volume:
		return b - a
	case m.plan.shape == timeOfUse:
		x, y, sum := m.rateUse(from), m.rateUse(to), int64(0)
		for r := range rates {
			sum += (y[r] - x[r]) * set.Rates[r]
		}
		return sum
	default:
		return cost(set.Steps, b-m.since) - cost(set.Steps, a-m.since)
	}
}

// load takes a purchase at t.
func (m *meter) load(credit, t int64) {
	m.advance(t)
	m.count++
	m.bought += credit
	m.balance += m.scale(credit)
}

// scale turns a credit into the unit of the balance.
func (m *meter) scale(credit int64) int64 {
	if m.volume {
		return credit
	}
	return credit * perFen
}

// show returns what the meter shows at t, with a purse that was last charged lag
// seconds before [the two wallets of a meter meet at least every 15 minutes].
func (m *meter) show(t, lag int64) shown {
	m.advance(t - lag)
	s := shown{at: t, count: m.count, net: floorDiv(m.balance, m.scale(1)), bought: m.bought}
	if m.plan.shape != timeOfUse {
		s.used = floorDiv(m.useAt(t)-m.base-m.shift, lastDigit) * lastDigit
		return s
	}
	now := m.rateUse(t)
	for r := range rates {
		s.byRate[r] = floorDiv(now[r]-m.baseByRate[r], lastDigit) * lastDigit
		s.used += s.byRate[r]
	}
	return s
}

// costs returns what a day costs now, in the unit of the purse, about.
func (m *meter) costs(t int64) int64 {
	i, _ := m.w.split(t)
	today := m.use[i+1] - m.use[i]
	set := &m.plan.Sets[m.set]
	switch {
	case m.volume:
		return today
	case m.plan.shape == timeOfUse:
		return today * set.Rates[2] / perFen
	default:
		return today * marginal(set.Steps, m.useAt(t)-m.since) / perFen
	}
}

// floorDiv rounds down, also below zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
