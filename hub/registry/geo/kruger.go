package geo

import "math"

// The transverse Mercator projection by Krüger's series to the sixth power of the
// third flattening: below a micrometre within 6 degrees of the central meridian.
// [Krüger 1912; Karney, Transverse Mercator with an accuracy of a few nanometers,
// 2011, equations 7 to 36]

const (
	n1 = flattening / (2 - flattening) // the third flattening
	n2 = n1 * n1
	n3 = n2 * n1
	n4 = n3 * n1
	n5 = n4 * n1
	n6 = n5 * n1

	// rectifying is the radius of the circle that is as long as a meridian.
	rectifying = semiMajor / (1 + n1) * (1 + n2/4 + n4/64 + n6/256)
)

// Coefficients of sin 2jξ', j from 1, towards the plane and back.
func forwardSeries() [6]float64 {
	return [6]float64{
		n1/2 - n2*2/3 + n3*5/16 + n4*41/180 - n5*127/288 + n6*7891/37800,
		n2*13/48 - n3*3/5 + n4*557/1440 + n5*281/630 - n6*1983433/1935360,
		n3*61/240 - n4*103/140 + n5*15061/26880 + n6*167603/181440,
		n4*49561/161280 - n5*179/168 + n6*6601661/7257600,
		n5*34729/80640 - n6*3418889/1995840,
		n6 * 212378941 / 319334400,
	}
}

func backwardSeries() [6]float64 {
	return [6]float64{
		n1/2 - n2*2/3 + n3*37/96 - n4/360 - n5*81/512 + n6*96199/604800,
		n2/48 + n3/15 - n4*437/1440 + n5*46/105 - n6*1118711/3870720,
		n3*17/480 - n4*37/840 - n5*209/4480 + n6*5569/90720,
		n4*4397/161280 - n5*11/504 - n6*830251/7257600,
		n5*4583/161280 - n6*108847/3991680,
		n6 * 20648693 / 638668800,
	}
}

// conformal turns the tangent of a latitude into that of the conformal latitude.
func conformal(tau float64) float64 {
	e, h := math.Sqrt(e2), math.Hypot(1, tau)
	sigma := math.Sinh(e * math.Atanh(e*tau/h))
	return tau*math.Hypot(1, sigma) - sigma*h
}

// gaussKruger projects degrees from the central meridian and degrees of latitude
// to metres from the central meridian and from the equator, scale 1.
func gaussKruger(dlon, lat float64) (east, north float64) {
	tau := conformal(math.Tan(lat * radians))
	s, c := math.Sincos(dlon * radians)
	xi, eta := math.Atan2(tau, c), math.Asinh(s/math.Hypot(tau, c))
	dx, dy := xi, eta
	for j, a := range forwardSeries() {
		k := float64(2 * (j + 1))
		dx += a * math.Sin(k*xi) * math.Cosh(k*eta)
		dy += a * math.Cos(k*xi) * math.Sinh(k*eta)
	}
	return rectifying * dy, rectifying * dx
}

// gaussKrugerInverse is the inverse of gaussKruger.
func gaussKrugerInverse(east, north float64) (dlon, lat float64) {
	x, y := north/rectifying, east/rectifying
	xi, eta := x, y
	for j, b := range backwardSeries() {
		k := float64(2 * (j + 1))
		xi -= b * math.Sin(k*x) * math.Cosh(k*y)
		eta -= b * math.Cos(k*x) * math.Sinh(k*y)
	}
	sh, c := math.Sinh(eta), math.Cos(xi)
	taup := math.Sin(xi) / math.Hypot(sh, c)
	tau := taup / (1 - e2)
	// Newton's method; three rounds are enough to the last bit.
	for range 5 {
		t := conformal(tau)
		d := (taup - t) / math.Hypot(1, t) * (1 + (1-e2)*tau*tau) / ((1 - e2) * math.Hypot(1, tau))
		tau += d
		if math.Abs(d) < 1e-16*math.Max(1, math.Abs(tau)) {
			break
		}
	}
	return math.Atan2(sh, c) / radians, math.Atan(tau) / radians
}
