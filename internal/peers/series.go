package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"

	"citygrid/internal/child"
	"citygrid/internal/influxd"
)

// seriesServer is what programs write to.
type seriesServer interface {
	URL() string
	Stop() error
	Sample() child.Usage
	// written is how many points it has acknowledged; asking costs little.
	written(ctx context.Context) (int, error)
	// count is how many points it holds.
	count(ctx context.Context) (int, error)
}

// influx is a real InfluxDB.
type influx struct{ *influxd.Server }

func startInflux(ctx context.Context, dir string) (seriesServer, error) {
	s, err := influxd.Start(ctx, influxd.Options{Dir: filepath.Join(dir, "influxdb"), Database: seriesDatabase})
	if err != nil {
		return nil, err
	}
	return influx{s}, nil
}

// written implements seriesServer by the server's own account.
func (i influx) written(ctx context.Context) (points int, err error) {
	n, err := influxd.Written(ctx, i.URL())
	return int(n), err
}

// count implements seriesServer by a query.
func (i influx) count(ctx context.Context) (int, error) {
	var answer struct {
		Results []struct {
			Series []struct {
				Values [][2]any `json:"values"`
			} `json:"series"`
		} `json:"results"`
	}
	q := url.Values{"db": {seriesDatabase}, "epoch": {"ms"}, "q": {`SELECT count("quality") FROM "reading"`}}
	if err := i.get(ctx, "/query?"+q.Encode(), &answer); err != nil {
		return 0, err
	}
	if len(answer.Results) == 0 || len(answer.Results[0].Series) == 0 || len(answer.Results[0].Series[0].Values) == 0 {
		return 0, nil
	}
	n, ok := answer.Results[0].Series[0].Values[0][1].(float64)
	if !ok {
		return 0, errors.New("count of the points: no number in InfluxDB's answer")
	}
	return int(n), nil
}

func (i influx) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("InfluxDB: %s: %s", resp.Status, text)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
