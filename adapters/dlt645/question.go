package dlt645

import (
	"bytes"

	"citygrid/adapters/line"
)

// question is a request on its way, as the line wants it: it builds the frame
// and judges what comes back.
type question struct {
	request
	wake int
	// sent is the frame of the last attempt, without its wake-up bytes.
	sent []byte
	// again: the frame sent on the line before it was the same.
	again bool
	// answer is set once Open has returned line.Answer.
	answer
}

// answer is what a meter said to a question.
type answer struct {
	from Address
	// data is what follows the identifier; for readAddress it is empty.
	data []byte
	more bool
}

var (
	_ line.Request  = (*question)(nil)
	_ line.Doubtful = (*question)(nil)
)

// Encode appends the frame; see line.Request. Its shape is the item's: only the
// same question has an answer of the same shape.
func (q *question) Encode(dst, last []byte) ([]byte, error) {
	from := len(dst) + q.wake
	dst, err := appendRequest(dst, q.wake, q.request)
	if err != nil {
		return nil, err
	}
	q.sent = append(q.sent[:0], dst[from:]...)
	q.again = bytes.Equal(bare(last), q.sent)
	return dst, nil
}

// Doubtful reports a question that is put twice in a row; see line.Doubtful.
func (q *question) Doubtful() bool { return q.again }

// bare returns a frame without its wake-up bytes.
func bare(frame []byte) []byte {
	for len(frame) > 0 && frame[0] == wakeUp {
		frame = frame[1:]
	}
	return frame
}

// Split looks for a frame; see line.Request.
func (q *question) Split(b []byte) (skip, n int, err error) { return Split(b) }

// Open judges a frame; see line.Request.
func (q *question) Open(frame []byte) (line.Verdict, error) {
	f, err := Parse(frame)
	if err != nil {
		return line.Foreign, line.Refuse("%w", err)
	}
	if !f.FromMeter() {
		// Converters without a driver for the direction hear themselves.
		if bytes.Equal(bare(frame), q.sent) {
			return line.Stale, nil
		}
		return line.Foreign, line.Refuse("a request of another master on the line: %s", f)
	}
	if !f.Address.decimal() {
		return line.Foreign, line.Refuse("address %s is no meter's", f.Address)
	}
	if f.Function() != q.function {
		if !reads(f.Function()) {
			return line.Foreign, line.Refuse("an answer to another master on the line: %s", f)
		}
		return line.Stale, nil
	}
	if !q.to.admits(f.Address) {
		return line.Stale, nil
	}
	if f.Refused() {
		r, err := parseRefusal(f)
		if err != nil {
			return line.Foreign, line.Refuse("%w", err)
		}
		q.answer = answer{from: f.Address}
		return line.Answer, r
	}
	return q.take(f)
}

// take judges an answer of the meter and function that were asked.
func (q *question) take(f Frame) (line.Verdict, error) {
	data := f.Data
	switch q.function {
	case readAddress:
		if len(data) != len(f.Address) || addressOf(data) != f.Address {
			return line.Foreign, line.Refuse("the meter's address is %s in the frame and % X in its data", f.Address, data)
		}
		q.answer = answer{from: f.Address}
		return line.Answer, nil
	case readNext:
		if len(data) == 0 {
			return line.Foreign, line.Refuse("a frame without its number")
		}
		if data[len(data)-1] != q.seq {
			return line.Stale, nil
		}
		data = data[:len(data)-1]
	}
	n := digits(q.function)
	if len(data) < n {
		return line.Foreign, line.Refuse("an answer that names no item: %s", f)
	}
	if identifier(data, n) != q.di {
		return line.Stale, nil
	}
	q.answer = answer{from: f.Address, data: data[n:], more: f.More()}
	return line.Answer, nil
}

// digits is how many bytes an identifier has in the answer to a function.
func digits(function byte) int {
	if function == readData1997 {
		return 2
	}
	return 4
}

// reads reports whether a function is one that this package asks for.
func reads(function byte) bool {
	switch function {
	case readData, readNext, readAddress, readData1997:
		return true
	}
	return false
}
