// Package deploy holds what a site copies: units for systemd, and the alarms and targets
// for Prometheus. The files are tried by tests; docs/operations.md says how they are used.
package deploy
