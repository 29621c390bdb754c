// Package assets keeps the city's asset register in SQL: areas, unit cells, duty
// grids, departments, people, components and meter links, with the files that they
// came from and what every row was before it was changed.
//
// An import is whole or absent: all files of it are one transaction, and one mistake
// in one of them changes nothing. Doing it again changes nothing either. Nothing is
// ever deleted, and a code is never given again with another meaning: what has
// changed gets a new code and the old one an end, and a correction of a survey says
// so with its reason.
//
// Small tables, everything but components, meter links and files, are held in memory
// as one picture that never changes; an import puts another in its place. Which cell
// a point is in is answered from there.
package assets
