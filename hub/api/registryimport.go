package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citygrid/hub/registry/assets"
	survey "citygrid/hub/registry/census" // census is a function of this package
	"citygrid/hub/registry/geo"
)

// maxCensus bounds an upload: three million components as CSV.
const maxCensus = 512 << 20

// CensusProblemJSON is one thing that is wrong with a file.
type CensusProblemJSON struct {
	Record  int    `json:"record,omitempty" doc:"Counted from 1"`
	Line    int    `json:"line,omitempty" doc:"Of the file, counted from 1"`
	Field   string `json:"field,omitempty" doc:"As the file calls it"`
	Rule    string `json:"rule" doc:"What is wrong"`
	Value   string `json:"value,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
	Warning bool   `json:"warning" doc:"True where it stands in nobody's way"`
}

// CensusFileJSON is what one file came to.
type CensusFileJSON struct {
	File       string              `json:"file"`
	Kind       string              `json:"kind"`
	SM3        string              `json:"sm3"`
	Same       bool                `json:"same" doc:"True when exactly this file was the last of its kind"`
	Records    int64               `json:"records"`
	Added      int64               `json:"added"`
	Changed    int64               `json:"changed"`
	Unchanged  int64               `json:"unchanged"`
	Errors     int                 `json:"errors"`
	Warnings   int                 `json:"warnings"`
	Problems   []CensusProblemJSON `json:"problems" nullable:"false" doc:"The first of them, in the order of the file"`
	Unlocated  int                 `json:"unlocated" doc:"Components without a position"`
	NoPosition []string            `json:"no_position" nullable:"false" doc:"Ids of the first of them"`
}

// CensusJSON is what an import came to.
type CensusJSON struct {
	DryRun    bool             `json:"dry_run"`
	Stored    bool             `json:"stored" doc:"Whether anything was changed"`
	Errors    int              `json:"errors"`
	Warnings  int              `json:"warnings"`
	Relocated int64            `json:"relocated" doc:"Components that are in another cell now"`
	Files     []CensusFileJSON `json:"files" nullable:"false"`
}

func censusJSON(s *assets.Summary) CensusJSON {
	out := CensusJSON{DryRun: s.DryRun, Stored: s.Stored, Errors: s.Errors, Warnings: s.Warnings, Relocated: s.Relocated, Files: []CensusFileJSON{}}
	for n := range s.Files {
		f := &s.Files[n]
		j := CensusFileJSON{File: f.File, Kind: string(f.Kind), SM3: f.SM3, Same: f.Same, Records: f.Records, Added: f.Added, Changed: f.Changed, Unchanged: f.Unchanged,
			Errors: f.Errors, Warnings: f.Warnings, Problems: []CensusProblemJSON{}, Unlocated: f.Unlocated, NoPosition: []string{}}
		for _, p := range f.Problems {
			j.Problems = append(j.Problems, CensusProblemJSON{p.Record, p.Line, p.Field, p.Rule, p.Value, p.Remedy, p.Warning})
		}
		for _, p := range f.NoPosition {
			j.NoPosition = append(j.NoPosition, p.Key)
		}
		out.Files = append(out.Files, j)
	}
	return out
}

type (
	censusInput struct {
		Kind     string         `query:"kind" enum:"areas,cells,duties,departments,people,components,meter_links," doc:"What is in the file, where its name does not say it"`
		CRS      string         `query:"crs" maxLength:"100" doc:"Coordinate reference system, needed for areas, cells and components; never guessed" example:"EPSG:4549"`
		Mapping  string         `query:"mapping" enum:"plain,cjt214,gbt47678.5" default:"plain" doc:"Names of the columns"`
		Standard string         `query:"standard" maxLength:"64" doc:"Code list of classes and ids, where the file does not name it"`
		Encoding string         `query:"encoding" enum:"utf-8,gb18030," doc:"Character set of CSV files"`
		DryRun   bool           `query:"dry_run" doc:"Find everything that is wrong, and change nothing"`
		Correct  string         `query:"correct" maxLength:"200" doc:"Correct a survey under the same codes, for this reason"`
		Gaps     bool           `query:"gaps_allowed" doc:"Ground that no cell covers is only a warning"`
		RawBody  multipart.Form `doc:"The files, as parts named file"`
	}
	censusOutput  struct{ Body CensusJSON }
	importedInput struct {
		Before int64 `query:"before" minimum:"0" doc:"Only numbers below this"`
		Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows a page"`
	}
	importedOutput struct{ Body []ImportedJSON }
)

// ImportedJSON is a census file that was imported.
type ImportedJSON struct {
	ID        int64     `json:"id"`
	Kind      string    `json:"kind"`
	File      string    `json:"file"`
	SM3       string    `json:"sm3"`
	Bytes     int64     `json:"bytes"`
	CRS       string    `json:"crs"`
	Mapping   string    `json:"mapping"`
	Records   int64     `json:"records"`
	Added     int64     `json:"added"`
	Changed   int64     `json:"changed"`
	Unchanged int64     `json:"unchanged"`
	Unlocated int64     `json:"unlocated"`
	Warnings  int64     `json:"warnings"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason,omitempty" doc:"Of a correction"`
}

func (g *registryRoutes) listImports(ctx context.Context, in *importedInput) (*importedOutput, error) {
	list, err := g.o.Register.Imports(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, g.problemOf(ctx, "list imports", err)
	}
	out := &importedOutput{Body: []ImportedJSON{}}
	for _, i := range list {
		out.Body = append(out.Body, ImportedJSON{i.ID, string(i.Kind), i.File, i.SM3, i.Bytes, i.CRS, i.Mapping, i.Records, i.Added, i.Changed, i.Unchanged,
			i.Unlocated, i.Warnings, i.By, i.At, i.Reason})
	}
	return out, nil
}

func (g *registryRoutes) postImport(ctx context.Context, in *censusInput) (out *censusOutput, err error) {
	defer func() { _ = in.RawBody.RemoveAll() }() // temporary files; the system's folder is emptied anyway
	read, bad := in.options()
	if bad != nil {
		return nil, bad
	}
	dir, err := os.MkdirTemp("", "citygrid-census-")
	if err != nil {
		return nil, g.problemOf(ctx, "keep the upload", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // as above
	files, err := in.files(dir, read)
	if err != nil {
		return nil, g.problemOf(ctx, "keep the upload", err)
	}
	o := assets.ImportOptions{DryRun: in.DryRun, By: string(casePersonOf(ctx).ID), Correct: in.Correct != "", Reason: in.Correct, GapsAllowed: in.Gaps}
	s, err := g.o.Register.Import(ctx, files, o, nil)
	var refused *assets.RefusedError
	if errors.As(err, &refused) && !in.DryRun {
		return nil, censusProblem(&s, refused)
	}
	if err != nil && refused == nil {
		return nil, g.problemOf(ctx, "import", err)
	}
	return &censusOutput{censusJSON(&s)}, nil
}

func (in *censusInput) options() (o survey.Options, bad *Problem) {
	o = survey.Options{Mapping: survey.Mappings()[in.Mapping], Standard: in.Standard, Encoding: in.Encoding}
	if in.CRS != "" {
		var err error
		if o.CRS, err = geo.ParseCRS(in.CRS); err != nil {
			return o, badParameter("crs", err)
		}
	}
	return o, nil
}

// files puts the parts of the upload into dir under their names.
func (in *censusInput) files(dir string, read survey.Options) ([]assets.File, error) {
	parts := in.RawBody.File["file"]
	if len(parts) == 0 {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "No file. Send each as a part named file of multipart/form-data.")
	}
	if in.Kind != "" && len(parts) > 1 {
		return nil, badParameter("kind", errors.New("it is for one file; several are told apart by their names, such as cells.geojson and components.csv"))
	}
	var files []assets.File
	for _, part := range parts {
		name := filepath.Base(filepath.Clean("/" + part.Filename))
		if _, err := survey.FormatOf(name); err != nil || slices.ContainsFunc(files, func(f assets.File) bool { return filepath.Base(f.Path) == name }) {
			return nil, problem(http.StatusUnprocessableEntity, codeInvalid, fmt.Sprintf("File %.80q: want a name of its own that ends in .csv, .geojson or .zip.", name))
		}
		f := assets.File{Path: filepath.Join(dir, name), Kind: survey.Kind(in.Kind), Read: read}
		if err := keepPart(part, f.Path); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func keepPart(part *multipart.FileHeader, path string) (err error) {
	in, err := part.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// censusProblem says why files were refused, with what is wrong in each.
func censusProblem(s *assets.Summary, e *assets.RefusedError) *Problem {
	p := problem(http.StatusUnprocessableEntity, codeCensus, e.Error())
	for n := range s.Files {
		for _, one := range s.Files[n].Problems {
			if one.Warning {
				continue
			}
			message := one.Rule
			if one.Remedy != "" {
				message += "; " + one.Remedy
			}
			where := one.File
			if one.Line > 0 {
				where += fmt.Sprintf(":%d", one.Line)
			}
			if one.Field != "" {
				where += ": " + one.Field
			}
			p.Errors = append(p.Errors, ProblemField{Location: where, Message: message})
		}
	}
	return p
}
