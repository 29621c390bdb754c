package indicators

// Score is a composite of 0 to 100 points, in hundredths of a point. Weight is how
// much of its 100 % had data: parts without data are left out, and the others keep
// their proportions.
type Score struct {
	Hundredths int64
	Weight     int64
}

// Known reports whether at least half of the weight had data.
func (s Score) Known() bool { return s.Weight >= 50 }

// Grade is A from 90 points, B from 75, C from 60, D from 40, E below; empty for no
// data.
func (s Score) Grade() string {
	switch {
	case !s.Known():
		return ""
	case s.Hundredths >= 9000:
		return "A"
	case s.Hundredths >= 7500:
		return "B"
	case s.Hundredths >= 6000:
		return "C"
	case s.Hundredths >= 4000:
		return "D"
	}
	return "E"
}

// full is 100 points or 100 %.
const full = 10_000

// mix adds up the parts of a score.
type mix struct{ sum, weight int64 }

// ratio adds an indicator; inverted, 100 % less it. More than 100 % counts as 100 %.
func (m *mix) ratio(r Ratio, weight int64, inverted bool) {
	bp, ok := r.BasisPoints()
	if !ok {
		return
	}
	bp = min(bp, full)
	if inverted {
		bp = full - bp
	}
	m.points(bp, weight)
}

func (m *mix) points(bp, weight int64) {
	m.sum += bp * weight
	m.weight += weight
}

func (m *mix) score() Score {
	if m.weight == 0 {
		return Score{}
	}
	return Score{Hundredths: (2*m.sum + m.weight) / (2 * m.weight), Weight: m.weight}
}

// Score returns the composite of r by docs/indicators.md; unknown for classes, which
// nobody answers for.
func (r *Row) Score() Score {
	var m mix
	switch r.Dimension {
	case Inspector:
		m.ratio(r.ratios[ValidReports], 40, false)
		m.ratio(r.ratios[MissedReports], 20, true)
		m.ratio(r.ratios[OnTimeVerify], 20, false)
		m.ratio(r.ratios[OnTimeCheck], 20, false)
	case Acceptor:
		m.points(volume(r.counts[Accepts]), 25)
		m.ratio(r.ratios[OnTimeSendVerify], 40, false)
		m.ratio(r.ratios[OnTimeSendCheck], 35, false)
	case ShiftLeader:
		m.ratio(r.ratios[OnTimeFile], 25, false)
		m.ratio(r.ratios[AccurateFile], 40, false)
		m.ratio(r.ratios[OnTimeClosing], 35, false)
	case Dispatcher:
		m.points(volume(r.counts[Dispatches]), 20)
		m.ratio(r.ratios[OnTimeDispatch], 40, false)
		m.ratio(r.ratios[AccurateDispatch], 40, false)
	case Department:
		m.points(fewCases(r.counts[Filed]), 10)
		m.ratio(r.ratios[Closing], 30, false)
		m.ratio(r.ratios[OnTimeHandle], 30, false)
		m.ratio(r.ratios[Reworked], 30, true)
	case City, Street, Community, Cell:
		m.ratio(r.ratios[PublicReports], 10, true)
		m.ratio(r.ratios[Reworked], 20, true)
		m.ratio(r.ratios[Closing], 30, false)
		m.ratio(r.ratios[OnTimeClosing], 40, false)
	}
	return m.score()
}

// volume is the score of how much work a person did.
func volume(n int64) int64 {
	switch {
	case n > 2000:
		return 10_000
	case n > 1200:
		return 9000
	case n > 500:
		return 7500
	case n > 300:
		return 6000
	case n > 100:
		return 4000
	}
	return 0
}

// fewCases is the score of a department for how few cases arose at its things.
func fewCases(n int64) int64 {
	switch {
	case n <= 50:
		return 10_000
	case n <= 100:
		return 9000
	case n <= 200:
		return 7500
	case n <= 500:
		return 6000
	case n <= 1000:
		return 4000
	}
	return 0
}
