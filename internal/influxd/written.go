package influxd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Written is how many points the InfluxDB 1.x at url says that it has taken since it was
// started. An answer without that number is an error and not 0.
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
	for name, raw := range vars {
		if !strings.HasPrefix(name, "httpd:") {
			continue
		}
		var face struct {
			Values struct {
				Written *uint64 `json:"pointsWrittenOK"`
			} `json:"values"`
		}
		if err := json.Unmarshal(raw, &face); err != nil {
			return 0, fmt.Errorf("ask InfluxDB what it has written: %w", err)
		}
		if face.Values.Written != nil {
			return *face.Values.Written, nil
		}
	}
	return 0, errors.New("ask InfluxDB what it has written: its answer does not say")
}
