package media

import (
	"bytes"
	"math"
	"time"

	"github.com/bep/imagemeta"

	"citygrid/schemas"
)

// camera returns what the camera wrote into a photo about place and time. What it
// wrote wrongly is as if it had written nothing: a photo is not refused for it.
func (l *Library) camera(data []byte, mediaType string) (schemas.Position, time.Time) {
	formats := map[string]imagemeta.ImageFormat{"image/jpeg": imagemeta.JPEG, "image/png": imagemeta.PNG, "image/webp": imagemeta.WebP}
	var tags imagemeta.Tags
	err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: formats[mediaType], Sources: imagemeta.EXIF,
		ShouldHandleTag: func(imagemeta.TagInfo) bool { return true },
		HandleTag:       func(t imagemeta.TagInfo) error { tags.Add(t); return nil },
	})
	if err != nil {
		return schemas.Position{}, time.Time{}
	}
	return position(tags), l.moment(tags)
}

// position is that of the photo's GPS tags. A file may give any of them any type, which
// GetLatLong takes for granted.
func position(tags imagemeta.Tags) schemas.Position {
	exif := tags.EXIF()
	for _, name := range []string{"GPSLatitude", "GPSLongitude"} {
		_, number := exif[name].Value.(float64)
		ref, found := exif[name+"Ref"]
		if _, text := ref.Value.(string); !number || found && !text {
			return schemas.Position{}
		}
	}
	lat, lon, err := tags.GetLatLong()
	if err != nil || math.IsNaN(lat) || math.IsNaN(lon) || lat == 0 && lon == 0 {
		return schemas.Position{}
	}
	p := schemas.Position{Lon: lon, Lat: lat, CRS: schemas.WGS84}
	if p.Validate() != nil {
		return schemas.Position{}
	}
	return p
}

// moment reads DateTimeOriginal with OffsetTimeOriginal [CIPA DC-008, 4.6.5].
func (l *Library) moment(tags imagemeta.Tags) time.Time {
	text := func(name string) string { s, _ := tags.EXIF()[name].Value.(string); return s }
	zone := l.Zone
	if zone == nil {
		zone = time.UTC
	}
	if offset, err := time.Parse("-07:00", text("OffsetTimeOriginal")); err == nil {
		zone = offset.Location()
	}
	t, err := time.ParseInLocation("2006:01:02 15:04:05", text("DateTimeOriginal"), zone)
	if err != nil || t.Year() < 1990 {
		return time.Time{}
	}
	return t.UTC()
}
