package census

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// dbf reads the table of a Shapefile, row by row [dBASE III and what came after it].
// It and shp below are read here and not by package go-shp, which makes room for as
// many points as a damaged file claims, and does not tell deleted rows.
type dbf struct {
	r       *bufio.Reader
	columns []dbfColumn
	names   []string
	values  []value
	row     []byte
	rows    uint32 // by the header
	at      uint32
	charset charset
	decoder *encoding.Decoder
}

type dbfColumn struct {
	kind   byte
	length int
}

const (
	dbfHeader     = 32
	dbfField      = 32
	dbfTerminator = 0x0d
)

// newDBF reads the header; charset is what the .cpg file or the caller says.
func newDBF(r io.Reader, charset charset) (*dbf, error) {
	d := &dbf{r: bufio.NewReaderSize(r, 64<<10), charset: charset}
	var head [dbfHeader]byte
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		return nil, stop(0, "export it again", "the .dbf file is cut short in its header")
	}
	d.rows = binary.LittleEndian.Uint32(head[4:])
	headerLength, rowLength := int(binary.LittleEndian.Uint16(head[8:])), int(binary.LittleEndian.Uint16(head[10:]))
	if d.charset == undeclared && (head[29] == 0x4d || head[29] == 0x7a) {
		d.charset = gb18030 // language drivers 77 and 122 are code page 936
	}
	if d.charset == gb18030 {
		d.decoder = simplifiedchinese.GB18030.NewDecoder()
	}
	if headerLength < dbfHeader+1 || rowLength < 1 {
		return nil, stop(0, "export it again", "the .dbf file has no valid header")
	}
	fields := make([]byte, headerLength-dbfHeader)
	if _, err := io.ReadFull(d.r, fields); err != nil {
		return nil, stop(0, "export it again", "the .dbf file is cut short in its header")
	}
	if err := d.readColumns(fields, rowLength); err != nil {
		return nil, err
	}
	d.row, d.values = make([]byte, rowLength), make([]value, len(d.columns))
	return d, nil
}

func (d *dbf) readColumns(fields []byte, rowLength int) error {
	width, wide := 1, 1
	var high []int
	for len(fields) >= dbfField && fields[0] != dbfTerminator {
		f := fields[:dbfField]
		fields = fields[dbfField:]
		name, _, _ := strings.Cut(string(f[:11]), "\x00")
		if len(d.columns) == maxColumns {
			return stop(0, "take some out", "the .dbf file has more than %d columns", maxColumns)
		}
		v := d.decode([]byte(name))
		if v.bad != "" {
			return stop(0, "name the character set, gb18030 for most Chinese files", "a column name of the .dbf file is not ASCII, and no .cpg file tells its character set")
		}
		d.names = append(d.names, strings.TrimSpace(v.text))
		d.columns = append(d.columns, dbfColumn{kind: f[11], length: int(f[16])})
		high = append(high, int(f[17])<<8)
		width += int(f[16])
		wide += int(f[16])
		if f[11] == 'C' {
			wide += int(f[17]) << 8
		}
	}
	if len(fields) == 0 || fields[0] != dbfTerminator {
		return stop(0, "export it again", "the list of columns of the .dbf file does not end")
	}
	switch rowLength {
	case width:
		return nil
	case wide: // texts above 255 bytes keep the high byte of their length in the decimals
		for i := range d.columns {
			if d.columns[i].kind == 'C' {
				d.columns[i].length += high[i]
			}
		}
		return nil
	}
	return stop(0, "export it again", "the columns of the .dbf file are %d bytes wide together, its rows %d", width, rowLength)
}

// next reads a row. The values are good until the next call.
func (d *dbf) next() (values []value, deleted bool, err error) {
	if d.at == d.rows {
		return nil, false, io.EOF
	}
	if _, err := io.ReadFull(d.r, d.row); err != nil {
		return nil, false, stop(0, "export it again", "the .dbf file is cut short: its header says %d rows, row %d is not there", d.rows, d.at+1)
	}
	d.at++
	switch d.row[0] {
	case ' ':
	case '*':
		deleted = true
	default:
		return nil, false, stop(0, "export it again", "row %d of the .dbf file begins with neither a space nor an asterisk", d.at)
	}
	rest := d.row[1:]
	for i, c := range d.columns {
		d.values[i] = d.value(c, rest[:c.length])
		rest = rest[c.length:]
	}
	return d.values, deleted, nil
}

func (d *dbf) value(c dbfColumn, raw []byte) value {
	text := strings.Trim(string(raw), " \x00")
	switch c.kind {
	case 'C':
		return d.decode([]byte(text))
	case 'N', 'F':
		if strings.Trim(text, "*") == "" {
			text = "" // what GDAL and others write for no value
		}
		return value{text: text, number: true}
	case 'D':
		if strings.Trim(text, "0") == "" {
			text = ""
		}
		return value{text: text}
	case 'L':
		if text == "?" {
			text = ""
		}
		return value{text: text}
	}
	if text == "" {
		return value{}
	}
	return value{bad: fmt.Sprintf("a .dbf column of type %q", c.kind)}
}

// decode turns text into UTF-8. Where nobody said the character set, only ASCII is
// certain.
func (d *dbf) decode(raw []byte) value {
	ascii := true
	for _, c := range raw {
		ascii = ascii && c < 0x80
	}
	switch {
	case ascii || d.charset == utf8Set:
		return value{text: string(raw)}
	case d.charset == undeclared:
		return value{bad: "not ASCII, and no .cpg file or caller says the character set (gb18030 or utf-8)"}
	}
	out, err := d.decoder.Bytes(raw)
	if err != nil {
		return value{bad: "not in GB 18030: " + err.Error()}
	}
	return value{text: string(out)}
}
