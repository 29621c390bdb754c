package geo

import "math"

// The ellipsoid of CGCS2000 [EPSG:1024]. That of WGS 84 has the same axis and a
// flattening that differs from the tenth digit on: 0.1 mm at the pole.
const (
	semiMajor  = 6378137.0
	flattening = 1 / 298.257222101
	semiMinor  = semiMajor * (1 - flattening)
	e2         = flattening * (2 - flattening)
)

const radians = math.Pi / 180

// authalic is the area in m² between the equator and the latitude phi, for one
// radian of longitude.
func authalic(phi float64) float64 {
	e, s := math.Sqrt(e2), math.Sin(phi)
	return semiMinor * semiMinor / 2 * (s/(1-e2*s*s) + math.Atanh(e*s)/e)
}

// degreeLengths are the metres of one degree of longitude and of latitude at a
// latitude in degrees.
func degreeLengths(lat float64) (lon, lati float64) {
	s, c := math.Sincos(lat * radians)
	w := math.Sqrt(1 - e2*s*s)
	return semiMajor * c / w * radians, semiMajor * (1 - e2) / (w * w * w) * radians
}

// Distance is the length in metres of the geodesic between two points in degrees of
// CGCS2000, to 0.1 mm. It is NaN for points that are nearly antipodal, where the
// series does not converge.
//
// [Vincenty, Direct and inverse solutions of geodesics on the ellipsoid, 1975]
func Distance(lon1, lat1, lon2, lat2 float64) float64 {
	u1 := math.Atan((1 - flattening) * math.Tan(lat1*radians))
	u2 := math.Atan((1 - flattening) * math.Tan(lat2*radians))
	s1, c1 := math.Sincos(u1)
	s2, c2 := math.Sincos(u2)
	l := math.Remainder(lon2-lon1, 360) * radians
	for lambda, n := l, 0; n < 200; n++ {
		sl, cl := math.Sincos(lambda)
		ss := math.Hypot(c2*sl, c1*s2-s1*c2*cl)
		if ss == 0 {
			return 0
		}
		cs := s1*s2 + c1*c2*cl
		sigma, sa := math.Atan2(ss, cs), c1*c2*sl/ss
		ca2, cm := 1-sa*sa, 0.0
		if ca2 > 0 {
			cm = cs - 2*s1*s2/ca2
		}
		k := flattening / 16 * ca2 * (4 + flattening*(4-3*ca2))
		next := l + (1-k)*flattening*sa*(sigma+k*ss*(cm+k*cs*(2*cm*cm-1)))
		if math.Abs(next-lambda) < 1e-13 {
			return geodesicLength(ca2, sigma, ss, cs, cm)
		}
		lambda = next
	}
	return math.NaN()
}

func geodesicLength(ca2, sigma, ss, cs, cm float64) float64 {
	u := ca2 * (semiMajor*semiMajor - semiMinor*semiMinor) / (semiMinor * semiMinor)
	a := 1 + u/16384*(4096+u*(u*(320-175*u)-768))
	b := u / 1024 * (256 + u*(u*(74-47*u)-128))
	d := b * ss * (cm + b/4*(cs*(2*cm*cm-1)-b/6*cm*(4*ss*ss-3)*(4*cm*cm-3)))
	return semiMinor * a * (sigma - d)
}
