// Package catalog is what the profile packages of all protocols have in common:
// a set of profiles by id, loaded strictly from YAML files, errors that name
// file, line and field, and the expectations of vector files.
//
// It knows nothing of any protocol. The type of a profile, the keys of its file
// and what makes it valid are the business of adapters/<protocol>/profiles.
package catalog
