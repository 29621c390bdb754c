package city

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
)

// photo names a picture: what is on it, in which stage, on which day. The cases of a
// day share it.
type photo struct {
	what  subject
	stage cases.Stage
	day   string
	n     int // of the pictures of one act, which are different ones
}

// subject is what a picture shows.
type subject uint8

const (
	cover subject = iota
	valve
	heap
)

// photo keeps the picture for an act, and returns what the act names.
func (t *teller) photo(ctx context.Context, e *cases.Entry, n int) (cases.Media, error) {
	stage := e.Media[n].Stage
	local := e.At.In(t.past.zone)
	p := photo{t.subjects[e.Case], stage, local.Format(time.DateOnly), n}
	if e.Report != nil {
		p.what = subjectOf(e.Report)
	}
	if kept, ok := t.photos[p]; ok {
		return kept, nil
	}
	var data bytes.Buffer
	if err := jpeg.Encode(&data, p.picture(local.Format("2006-01-02 15:04")), &jpeg.Options{Quality: 70}); err != nil {
		return cases.Media{}, fmt.Errorf("draw a photo: %w", err)
	}
	o, err := t.library.Take(ctx, &data)
	if err != nil {
		return cases.Media{}, err
	}
	err = t.desk.KeepMedia(ctx, desk.Media{SM3: string(o.Digest), Original: string(o.Original), Kind: string(o.Kind), Type: o.Type, Size: o.Size, TakenAt: e.At, By: string(e.Person)})
	t.photos[p] = cases.Media{SM3: string(o.Digest), Kind: cases.MediaKind(o.Kind), Stage: stage}
	t.past.cases.Photos++
	return t.photos[p], err
}

// subjectOf is what a report is about.
func subjectOf(r *cases.Report) subject {
	switch class := r.Class.String(); {
	case strings.Contains(class, ":component:01"):
		return cover
	case strings.Contains(class, ":component:"):
		return valve
	}
	return heap
}

const photoWidth, photoHeight = 400, 300

// picture draws a made-up photo: a street, the thing, broken or not, and when it was.
func (p photo) picture(when string) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, photoWidth, photoHeight))
	rng := rand.New(rand.NewPCG(uint64(p.n)<<16|uint64(p.what)<<8|uint64(len(p.stage)), uint64(p.day[8])<<8|uint64(p.day[9])))
	street(img, rng)
	mended := p.stage == cases.StageHandled || p.stage == cases.StageCheck
	switch p.what {
	case cover:
		drawCover(img, mended)
	case valve:
		drawValve(img, mended)
	default:
		drawHeap(img, rng, mended)
	}
	stamp(img, when)
	return img
}

// street fills the picture with asphalt and a kerb.
func street(img *image.RGBA, rng *rand.Rand) {
	base := uint8(88 + rng.IntN(40))
	for at := 0; at < len(img.Pix); at += 4 {
		if at%16 == 0 { // grain, four pixels wide
			grain := base + uint8(rng.IntN(14))
			copy(img.Pix[at:], []uint8{grain, grain, grain + 4, 255})
			continue
		}
		copy(img.Pix[at:at+4], img.Pix[at-4:at])
	}
	fill(img, image.Rect(0, 40, photoWidth, 58), color.RGBA{150, 146, 138, 255})
}

func fill(img *image.RGBA, r image.Rectangle, c color.Color) {
	draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// disc fills a circle.
func disc(img *image.RGBA, cx, cy, r int, c color.Color) {
	for y := -r; y <= r; y++ {
		x := int(math.Sqrt(float64(r*r - y*y)))
		fill(img, image.Rect(cx-x, cy+y, cx+x+1, cy+y+1), c)
	}
}

// drawCover draws a manhole: a plate with its pattern, or a black hole beside which it
// lies.
func drawCover(img *image.RGBA, mended bool) {
	iron, dark := color.RGBA{112, 84, 66, 255}, color.RGBA{18, 16, 16, 255}
	disc(img, 170, 170, 94, color.RGBA{64, 60, 58, 255})
	at := 170
	if !mended {
		disc(img, 170, 170, 84, dark)
		at = 280
	}
	disc(img, at, 170, 82, iron)
	for n := -4; n <= 4; n++ {
		for m := -4; m <= 4; m++ {
			if n*n+m*m <= 18 {
				disc(img, at+n*17, 170+m*17, 5, color.RGBA{84, 62, 50, 255})
			}
		}
	}
}

// drawValve draws a pipe with a wheel, and a puddle below where it leaks.
func drawValve(img *image.RGBA, mended bool) {
	if !mended {
		for n := range 60 {
			disc(img, 120+n*3, 240+n%9, 20, color.RGBA{72, 98, 128, 255})
		}
	}
	fill(img, image.Rect(0, 170, photoWidth, 214), color.RGBA{54, 92, 140, 255})
	fill(img, image.Rect(188, 130, 212, 170), color.RGBA{44, 74, 112, 255})
	disc(img, 200, 112, 48, color.RGBA{176, 40, 36, 255})
	disc(img, 200, 112, 33, color.RGBA{110, 108, 106, 255})
	fill(img, image.Rect(155, 108, 245, 116), color.RGBA{176, 40, 36, 255})
	fill(img, image.Rect(196, 68, 204, 156), color.RGBA{176, 40, 36, 255})
}

// drawHeap draws rubbish on the pavement, or the pavement alone.
func drawHeap(img *image.RGBA, rng *rand.Rand, mended bool) {
	fill(img, image.Rect(40, 220, 360, 256), color.RGBA{168, 160, 146, 255})
	if mended {
		return
	}
	for range 40 {
		x, y := 100+rng.IntN(200), 150+rng.IntN(90)
		c := color.RGBA{uint8(60 + rng.IntN(150)), uint8(60 + rng.IntN(110)), uint8(40 + rng.IntN(90)), 255}
		disc(img, x, y, 10+rng.IntN(22), c)
	}
}
