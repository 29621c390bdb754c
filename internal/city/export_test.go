package city

// Programs are the paths of the freshly built programs, for tests of what runs a city.
func Programs() (citygrid, collector string) { return programs.citygrid, programs.collector }
