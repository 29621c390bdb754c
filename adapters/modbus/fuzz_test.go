package modbus

import (
	"bytes"
	"testing"

	"citygrid/adapters/line"
)

// FuzzRTU feeds any bytes to the judge of RTU answers. What it takes for an
// answer must be a frame of the right unit, function and size with a right CRC,
// literally there behind at most two bytes of noise.
func FuzzRTU(f *testing.F) {
	request := sealRTU([]byte{7, 3, 0, 10, 0, 4})
	right := rtuAnswer(request, register)
	f.Add(right)
	f.Add(append([]byte{0, 0xFF}, right...))
	f.Add(rtuRefusal(request, 2))
	f.Add(append(bytes.Clone(right[:5]), right...))
	f.Add([]byte("01 03 02"))
	r := newRTU()
	f.Fuzz(func(t *testing.T, b []byte) {
		q := queryOf(r, request)
		skip, n, err := q.Split(b)
		if n == 0 || err != nil {
			return
		}
		if skip > maxLeadIn || skip+n > len(b) {
			t.Fatalf("frame of %d+%d in %d bytes", skip, n, len(b))
		}
		frame := b[skip : skip+n]
		before := bytes.Clone(frame)
		verdict, err := q.Open(frame)
		if !bytes.Equal(frame, before) {
			t.Fatal("the frame was changed")
		}
		if verdict != line.Answer {
			return
		}
		body := frame[:n-2]
		if !bytes.Equal(sealRTU(bytes.Clone(body)), frame) || frame[0] != 7 || frame[1]&0x7F != 3 {
			t.Fatalf("% X was taken", frame)
		}
		if err == nil && (n != len(right) || !bytes.Equal(q.dst, frame[3:n-2])) {
			t.Fatalf("registers % X out of % X", q.dst, frame)
		}
	})
}

// FuzzMBAP feeds any bytes to the judge of Modbus TCP answers.
func FuzzMBAP(f *testing.F) {
	request := []byte{0, 1, 0, 0, 0, 6, 7, 3, 0, 10, 0, 4}
	right := rightAnswer(request)
	f.Add(right, false)
	f.Add(exceptionAnswer(request, 2), true)
	f.Add([]byte("HTTP/1.1 400 Bad Request"), true)
	f.Fuzz(func(t *testing.T, b []byte, anyID bool) {
		m := newMBAP(0, anyID)
		q := queryOf(m, request[6:])
		frame, err := q.Encode(nil, nil)
		if err != nil || !bytes.Equal(frame, request) {
			t.Fatalf("encoded % X, %v", frame, err)
		}
		skip, n, err := q.Split(b)
		if n == 0 || err != nil {
			return
		}
		if skip != 0 || n > len(b) || n > maxFrame {
			t.Fatalf("frame of %d+%d in %d bytes", skip, n, len(b))
		}
		before := bytes.Clone(b)
		verdict, err := q.Open(b[:n])
		if !bytes.Equal(b, before) {
			t.Fatal("the frame was changed")
		}
		if verdict == line.Answer && err == nil {
			want := append(bytes.Clone(right[2:9]), q.dst...)
			if !bytes.Equal(b[2:n], want) || !anyID && !bytes.Equal(b[:2], request[:2]) {
				t.Fatalf("% X was taken", b[:n])
			}
		}
	})
}
