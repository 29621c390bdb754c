package city

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"citygrid/schemas"
	"citygrid/simulators"
)

// Break makes something go wrong with a meter (simulators.Leaks with a flow in m3/h,
// or simulators.Silent) until Mend, and returns when it begins.
func (c *City) Break(ctx context.Context, meter schemas.MeterID, what string, flow float64) (simulators.Mishap, error) {
	form := url.Values{"meter": {string(meter)}, "what": {what}}
	if flow != 0 {
		form.Set("flow", fmt.Sprint(flow))
	}
	return c.order(ctx, "/break", form)
}

// Mend ends what Break began.
func (c *City) Mend(ctx context.Context, meter schemas.MeterID, what string) (simulators.Mishap, error) {
	return c.order(ctx, "/mend", url.Values{"meter": {string(meter)}, "what": {what}})
}

func (c *City) order(ctx context.Context, path string, form url.Values) (m simulators.Mishap, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.controlURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return m, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return m, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return m, err
	}
	if answer.StatusCode != http.StatusOK {
		return m, &orderError{path, answer.Status, strings.TrimSpace(string(body))}
	}
	return m, json.Unmarshal(body, &m)
}

// orderError is an order that the simulators refused.
type orderError struct{ path, status, problem string }

// Error names the order and why it was refused.
func (e *orderError) Error() string {
	return fmt.Sprintf("simulators%s: %s: %s", e.path, e.status, e.problem)
}

// ControlURL is where the simulators take orders; empty without a grid.
func (c *City) ControlURL() string { return c.controlURL }

// mishaps asks the simulators what they have made happen, and tells the oracle.
func (c *City) mishaps(ctx context.Context) (list []simulators.Mishap, err error) {
	if c.controlURL == "" {
		return nil, nil
	}
	err = get(ctx, c.controlURL+"/mishaps", func(body io.Reader) error { return json.NewDecoder(body).Decode(&list) })
	if err != nil {
		return nil, err
	}
	return list, c.fleet.Suffer(list)
}
