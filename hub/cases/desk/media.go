package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Media is what is known of a stored photo, film or sound.
type Media struct {
	SM3, Original string // of what is kept and of what was sent
	Kind, Type    string
	Size          int64
	TakenAt       time.Time        // by the camera's clock
	Position      schemas.Position // as the camera wrote it, WGS84
	By            string
	At            time.Time
}

// ErrNoMedia says that an object was never taken.
var ErrNoMedia = errors.New("no such photo, film or sound")

type mediaRow struct {
	bun.BaseModel `bun:"table:case_media"`

	SM3      string `bun:"sm3,pk"`
	Original string
	Kind     string
	Type     string
	Size     int64
	TakenMs  int64
	LonE7    int64 `bun:"lon_e7"`
	LatE7    int64 `bun:"lat_e7"`
	ByWhom   string
	AtMs     int64
}

// KeepMedia remembers what is known of an object that is stored. Doing it again
// changes nothing: the first sender stays. A position is WGS84, as cameras write it
// [Exif 2.32, GPSMapDatum], or a *schemas.FieldError.
func (d *Desk) KeepMedia(ctx context.Context, m Media) error {
	if m.Position.Known() && m.Position.CRS != schemas.WGS84 || m.Position.Validate() != nil {
		return &schemas.FieldError{Field: "position", Problem: fmt.Sprintf("%v is no position in WGS84", m.Position)}
	}
	row := mediaRow{SM3: m.SM3, Original: m.Original, Kind: m.Kind, Type: m.Type, Size: m.Size, TakenMs: millis(m.TakenAt), ByWhom: m.By, AtMs: millis(d.now())}
	if m.Position.Known() {
		row.LonE7, row.LatE7 = e7(m.Position.Lon), e7(m.Position.Lat)
	}
	_, err := d.db.Write.NewInsert().Model(&row).On("CONFLICT (sm3) DO NOTHING").Exec(ctx)
	return sqldb.Explain("keep media", err)
}

// MediaBy returns what is known of an object, by the digest of what is kept or of
// what was sent.
func (d *Desk) MediaBy(ctx context.Context, digest string) (Media, error) {
	var row mediaRow
	err := d.db.Read.NewSelect().Model(&row).Where("sm3 = ? OR original = ?", digest, digest).Order("sm3").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Media{}, fmt.Errorf("media %.80q: %w", digest, ErrNoMedia)
	}
	if err != nil {
		return Media{}, sqldb.Explain("read media", err)
	}
	m := Media{SM3: row.SM3, Original: row.Original, Kind: row.Kind, Type: row.Type, Size: row.Size, TakenAt: moment(row.TakenMs), By: row.ByWhom, At: moment(row.AtMs)}
	if row.LonE7 != 0 || row.LatE7 != 0 {
		m.Position = schemas.Position{Lon: degrees(row.LonE7), Lat: degrees(row.LatE7), CRS: schemas.WGS84}
	}
	return m, nil
}
