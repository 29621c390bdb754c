// Package geo knows coordinates and polygons: the reference systems in which Chinese
// cities keep their surveys, areas and distances on the ellipsoid, which cell a
// point is in, and whether the cells of a city tile it.
//
// A reference system is always named by the caller. Nothing is guessed from the
// size of a number, and a value that cannot be of the named system is an error that
// says what it looks like; it is never turned round or shifted silently.
//
// Edges of polygons are straight in longitude and latitude, everywhere in this
// package: that is how they are drawn, stored and cut.
package geo
