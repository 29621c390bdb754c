package config

import (
	"errors"
	"fmt"
	"os"

	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// LoadInstallations reads and checks a file of installation records and returns
// them by meter, each meter's in the order of time. The file is the YAML
// document "installations:" with a list of what a collector's configuration
// holds under a meter's installations, and the meter besides
// (schemas.Installation).
func LoadInstallations(path string) (map[schemas.MeterID][]schemas.Installation, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read installations: %w", err)
	}
	byMeter, err := parseInstallations(data)
	if err != nil {
		return nil, fmt.Errorf("installations %s: %w", path, err)
	}
	return byMeter, nil
}

func parseInstallations(data []byte) (map[schemas.MeterID][]schemas.Installation, error) {
	var file struct {
		Installations []schemas.Installation `yaml:"installations"`
	}
	if err := strictyaml.Decode(data, &file); err != nil && !errors.Is(err, strictyaml.ErrEmpty) {
		return nil, err
	}
	if err := schemas.SortInstallations(file.Installations); err != nil {
		return nil, err
	}
	byMeter := make(map[schemas.MeterID][]schemas.Installation)
	for _, i := range file.Installations {
		byMeter[i.Meter] = append(byMeter[i.Meter], i)
	}
	return byMeter, nil
}
