package statement

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html.tmpl
var page string

// pageData is what the page shows.
type pageData struct {
	Lang                                                        Language
	Title, City, Utility, Period, Run, None, DigestName, Digest string
	Tables                                                      []pageTable
}

type pageTable struct {
	Title string
	Sign  bool
	Long  bool
	Head  []pageCell
	Rows  []pageRow
}

type pageRow struct {
	Sum   bool
	Cells []pageCell
}

type pageCell struct {
	Over   string // the line above, in a head
	Text   string
	Number bool
}

// HTML writes the statement as one page that needs nothing else and runs no
// script: for A4 paper, with fields for three signatures.
func HTML(out io.Writer, d *Document, l Language) error {
	if err := d.check(); err != nil {
		return err
	}
	t, err := template.New("statement").Parse(page)
	if err != nil {
		return fmt.Errorf("page of the statement: %w", err)
	}
	s, w := d.Statement, wordsOf(l)
	data := pageData{Lang: l, Title: w.title, City: s.City, Utility: w.byUtility[s.Utility], Period: period(s),
		Run: fmt.Sprintf(w.runText, s.Run.Version, s.Run.ID), None: w.none, DigestName: w.statementDigest, Digest: d.Digest}
	for _, t := range layout(d, l) {
		data.Tables = append(data.Tables, t.page(w))
	}
	if err := t.Execute(out, data); err != nil {
		return fmt.Errorf("write the statement as a page: %w", err)
	}
	return nil
}

func (t *table) page(w *words) pageTable {
	p := pageTable{Title: t.title, Sign: t.title == w.signatures, Long: t.long}
	for n, c := range t.columns {
		number := len(t.rows) > 0 && t.numeric(n)
		p.Head = append(p.Head, pageCell{Over: c.over, Text: c.name, Number: number})
	}
	for n, r := range t.rows {
		row := pageRow{Sum: t.last && n == len(t.rows)-1}
		for _, c := range r {
			row.Cells = append(row.Cells, pageCell{Text: c.grouped(), Number: c.kind != text})
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// numeric reports whether column n holds numbers.
func (t *table) numeric(n int) bool {
	for _, r := range t.rows {
		if r[n].kind != text {
			return true
		}
	}
	return false
}
