package geo

import "math"

// GCJ-02 shifts WGS 84 by 300 to 700 m with a fixed formula. It was never published
// officially; this is the formula that open map software agrees on, with the axis
// that most of it uses (some takes 6378137 m, which comes out 1 cm away).
const (
	gcjMajor = 6378245.0
	gcjE2    = 0.00669342162296594323
)

// gcjShift is how far GCJ-02 lies from the WGS 84 point lon, lat, in degrees.
func gcjShift(lon, lat float64) (dlon, dlat float64) {
	x, y := lon-105, lat-35
	waves := 20*math.Sin(6*x*math.Pi) + 20*math.Sin(2*x*math.Pi)
	dlat = -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*math.Sqrt(math.Abs(x)) +
		(waves+20*math.Sin(y*math.Pi)+40*math.Sin(y/3*math.Pi)+
			160*math.Sin(y/12*math.Pi)+320*math.Sin(y*math.Pi/30))*2/3
	dlon = 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*math.Sqrt(math.Abs(x)) +
		(waves+20*math.Sin(x*math.Pi)+40*math.Sin(x/3*math.Pi)+
			150*math.Sin(x/12*math.Pi)+300*math.Sin(x/30*math.Pi))*2/3
	s, c := math.Sincos(lat * radians)
	w := 1 - gcjE2*s*s
	dlat = dlat / (gcjMajor * (1 - gcjE2) / (w * math.Sqrt(w)) * radians)
	dlon = dlon / (gcjMajor / math.Sqrt(w) * c * radians)
	return dlon, dlat
}

// toGCJ shifts a point of WGS 84; outside mainland China it leaves it.
func toGCJ(lon, lat float64) (float64, float64) {
	if !shifted(lon, lat) {
		return lon, lat
	}
	dlon, dlat := gcjShift(lon, lat)
	return lon + dlon, lat + dlat
}

// fromGCJ finds the WGS 84 point that toGCJ shifts to lon, lat, to 0.1 mm. Whether it
// was shifted is asked of that point and not of lon, lat: the shift carries places in
// the south of Shenzhen over the border. Where two points come out at the same place,
// one shifted and one not, it is the former, which is in the mainland.
func fromGCJ(lon, lat float64) (float64, float64) {
	if x, y := unshift(lon, lat); shifted(x, y) {
		return x, y
	}
	return lon, lat
}

// unshift is the inverse of the formula alone. The shift changes by less than a
// thousandth of the way, so that every round gains three digits.
func unshift(lon, lat float64) (x, y float64) {
	x, y = lon, lat
	for range 20 {
		dlon, dlat := gcjShift(x, y)
		nx, ny := lon-dlon, lat-dlat
		done := math.Abs(nx-x) < 1e-11 && math.Abs(ny-y) < 1e-11
		x, y = nx, ny
		if done {
			break
		}
	}
	return x, y
}

// shifted reports whether maps of GCJ-02 shift the point: in the rectangle of the
// formula without Hong Kong, Macao and Taiwan. The outlines are coarse, to about
// 500 m at the land borders.
func shifted(lon, lat float64) bool {
	if lon < 72.004 || lon > 137.8347 || lat < 0.8293 || lat > 55.8271 {
		return false
	}
	for _, r := range unshifted() {
		if sideOf(r, lon, lat) != outside {
			return false
		}
	}
	return true
}

func unshifted() [3][][2]float64 {
	return [3][][2]float64{
		{ // Hong Kong, along the Shenzhen river
			{113.82, 22.13}, {114.50, 22.13}, {114.50, 22.45}, {114.43, 22.54}, {114.33, 22.56},
			{114.26, 22.56}, {114.225, 22.548}, {114.17, 22.555}, {114.13, 22.536}, {114.113, 22.531},
			{114.07, 22.515}, {114.055, 22.502}, {114.03, 22.503}, {113.95, 22.475}, {113.87, 22.42}, {113.82, 22.13},
		},
		{ // Macao
			{113.553, 22.105}, {113.60, 22.105}, {113.60, 22.20}, {113.57, 22.2165}, {113.5495, 22.2165},
			{113.535, 22.213}, {113.534, 22.198}, {113.536, 22.17}, {113.545, 22.15}, {113.548, 22.13}, {113.553, 22.105},
		},
		{ // Taiwan with Penghu
			{119.2, 21.7}, {122.3, 21.7}, {122.3, 25.6}, {121.2, 25.6}, {119.2, 23.9}, {119.2, 21.7},
		},
	}
}
