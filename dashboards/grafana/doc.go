// Package grafana holds the Grafana boards for the series store, as files to
// be provisioned, and the tests that keep them sound. No Grafana is at hand in
// the tests: they check the form of the boards, run every query against the InfluxDB of
// the demo over points as hub/store writes them, and look at every panel while a city
// runs. The boards are meters, city, utility, collectors, reconciliation and cases.
package grafana

import "embed"

// Files are the boards (boards/*.json) and the provisioning of Grafana
// (provisioning/).
//
//go:embed boards provisioning
var Files embed.FS
