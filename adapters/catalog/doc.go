// Package catalog is what the profile packages of all protocols have in common:
// a set of profiles by id, loaded strictly from YAML files, errors that name
// file, line and field, and the vector files with what they expect.
//
// It knows nothing of any protocol. The type of a profile, the keys of its file
// and what makes it valid are the business of adapters/<protocol>/profiles.
package catalog
