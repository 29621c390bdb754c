// Package district makes a district of a city: its grid of cells, what stands in
// the streets, who works there, and a year of cases with the truth about them. It
// is the oracle of registry and cases, and shares nothing with the hub but
// docs/cases.md, docs/indicators.md, the schemas and the code lists.
//
// # The place
//
// The district is invented: 清渡区 (Qingdu) has a county code that GB/T 2260 has
// given to nobody, and lies where the plain of the lower Yangtze is. Nothing in it,
// from the names of streets to those of people, is meant to be found on a map.
//
// Its streets are a grid, turned by some degrees, whose lines are neither quite
// straight nor evenly spaced. A unit cell is a block of about 10,000 m2 between the
// middles of four streets; cells share corners and edges to the last digit, so that
// there is no gap and no overlap. Communities are rectangles of blocks, streets
// (subdistricts) rectangles of communities. Cells are numbered from 001 in each
// community, left to right and top to bottom [GB/T 30428.1-2013].
//
// # What stands in it
//
// Components stand along the streets of their cell, in a mix of classes of CJ/T
// 214-2007 with ids of 16 digits, or of GB/T 47678.5-2026 with ids of 17. Valves,
// concentrators and meters, which no list has, are of the classes of citygrid-ext.
// Of a thousand components six have no position, and of covers one in fifty has no
// owner, besides those of the class for it.
//
// Everything is a function of Options: the same options give the same bytes, and
// any component can be made without the others.
//
// # The year
//
// Year gives the acts of a year of cases in the order in which the hub receives
// them, each of them allowed by docs/cases.md but those that are marked, and adds up
// what the indicators must be.
package district
