package schemas

import (
	"fmt"
	"math"
)

// CRS names the coordinate reference system in which a position was taken. It is
// always said, never guessed from the numbers.
type CRS string

// The systems of a position. Files may come in more (package hub/registry/geo),
// and are turned into CGCS2000 when they are imported.
const (
	CGCS2000 CRS = "CGCS2000" // EPSG:4490, longitude and latitude in degrees; what is stored
	WGS84    CRS = "WGS84"    // EPSG:4326, what a phone's satellite receiver gives; within about 1 m of CGCS2000
	GCJ02    CRS = "GCJ-02"   // the shifted system of public maps; only where it is declared
)

// Position is a point on the ground in degrees. The zero Position, without a CRS,
// means "not known": it is never 0,0.
type Position struct {
	Lon, Lat float64
	CRS      CRS
	// Accuracy is the radius in metres within which the receiver believes to be, 0
	// where it said nothing.
	Accuracy float64
}

// Known reports whether p says anything.
func (p Position) Known() bool { return p.CRS != "" }

// Validate reports the first thing that is wrong with p. An unknown position is
// valid.
func (p Position) Validate() error {
	if !p.Known() {
		if p != (Position{}) {
			return &FieldError{Field: "crs", Problem: "missing; say CGCS2000, WGS84 or GCJ-02"}
		}
		return nil
	}
	switch p.CRS {
	case CGCS2000, WGS84, GCJ02:
	default:
		return &FieldError{Field: "crs", Problem: fmt.Sprintf("%q, want CGCS2000, WGS84 or GCJ-02", string(p.CRS))}
	}
	if !(p.Lon >= -180 && p.Lon <= 180) {
		return &FieldError{Field: "lon", Problem: fmt.Sprintf("%v, want -180 to 180 degrees", p.Lon)}
	}
	if !(p.Lat >= -90 && p.Lat <= 90) {
		return &FieldError{Field: "lat", Problem: fmt.Sprintf("%v, want -90 to 90 degrees", p.Lat)}
	}
	if p.Lon == 0 && p.Lat == 0 {
		return &FieldError{Field: "lon", Problem: "0,0, which is in the Gulf of Guinea; leave the position out where it is not known"}
	}
	if !(p.Accuracy >= 0) || math.IsInf(p.Accuracy, 0) {
		return &FieldError{Field: "accuracy", Problem: fmt.Sprintf("%v, want metres, 0 where not known", p.Accuracy)}
	}
	return nil
}
