package influxd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Written is how many points the InfluxDB 1.x at url says that it has taken since it was
// started.
func Written(ctx context.Context, url string) (points uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/debug/vars", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("ask InfluxDB what it has written: %s", resp.Status)
	}
	var vars map[string]json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&vars); err != nil {
		return 0, fmt.Errorf("ask InfluxDB what it has written: %w", err)
	}
	var face struct {
		Values struct {
			Written uint64 `json:"pointsWrittenOK"`
		} `json:"values"`
	}
	for name, raw := range vars {
		if strings.HasPrefix(name, "httpd:") {
			if err := json.Unmarshal(raw, &face); err != nil {
				return 0, fmt.Errorf("ask InfluxDB what it has written: %w", err)
			}
		}
	}
	return face.Values.Written, nil
}
