package city

import (
	"image"
	"image/color"
)

// glyphs are the digits of a dot matrix, three columns wide and five rows high, a row
// in three bits.
func glyphs() map[rune][5]uint8 {
	return map[rune][5]uint8{
		'0': {7, 5, 5, 5, 7}, '1': {2, 6, 2, 2, 7}, '2': {7, 1, 7, 4, 7}, '3': {7, 1, 7, 1, 7}, '4': {5, 5, 7, 1, 1},
		'5': {7, 4, 7, 1, 7}, '6': {7, 4, 7, 5, 7}, '7': {7, 1, 2, 2, 2}, '8': {7, 5, 7, 5, 7}, '9': {7, 5, 7, 1, 7},
		'-': {0, 0, 7, 0, 0}, ':': {0, 2, 0, 2, 0}, ' ': {},
	}
}

// stamp writes a date into the corner of a picture, as cameras do.
func stamp(img *image.RGBA, text string) {
	const dot, left, top = 4, 14, 268
	fill(img, image.Rect(left-8, top-6, left+len(text)*4*dot+4, top+5*dot+6), color.RGBA{0, 0, 0, 255})
	known := glyphs()
	for n, r := range text {
		for row, bits := range known[r] {
			for column := range 3 {
				if bits>>(2-column)&1 == 1 {
					x, y := left+(n*4+column)*dot, top+row*dot
					fill(img, image.Rect(x, y, x+dot, y+dot), color.RGBA{255, 196, 64, 255})
				}
			}
		}
	}
}
