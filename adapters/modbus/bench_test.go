//go:build linux

package modbus

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"citygrid/adapters/modbus/profiles"
)

// responderEnv makes the test binary a device for BenchmarkReadTCP.
const responderEnv = "CITYGRID_BENCH_RESPONDER"

// TestMain serves a benchmark's device when this process was started as one.
func TestMain(m *testing.M) {
	if os.Getenv(responderEnv) != "" {
		respond()
		return
	}
	os.Exit(m.Run())
}

// respond answers one connection until it ends.
func respond() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(ln.Addr())
	conn, err := ln.Accept()
	if err != nil {
		os.Exit(1)
	}
	var buf [maxFrame]byte
	for {
		if _, err := io.ReadFull(conn, buf[:mbapRequest]); err != nil {
			return
		}
		if _, err := conn.Write(floatAnswer(buf[:mbapRequest])); err != nil {
			return
		}
	}
}

// floatAnswer holds 230.n V in every pair of registers.
func floatAnswer(request []byte) []byte {
	count := int(binary.BigEndian.Uint16(request[10:]))
	frame := make([]byte, 9+2*count)
	copy(frame, request[:8])
	binary.BigEndian.PutUint16(frame[4:], uint16(3+2*count))
	frame[8] = byte(2 * count)
	for i := 0; i+1 < count; i += 2 {
		binary.BigEndian.PutUint32(frame[9+2*i:], 0x43660000+uint32(i*911))
	}
	return frame
}

// floatMeter reads 50 float32 by one request. There are fewer quantities than
// that, so some come twice, which no profile may.
func floatMeter(bus *Bus) *Meter {
	p := &profiles.Profile{ID: "floats", MaxRegisters: 125}
	var all []int
	for i := range 50 {
		q := powerQuantities()[i%len(powerQuantities())]
		p.Fields = append(p.Fields, profiles.Field{Quantity: q, Parts: []profiles.Part{part(uint16(2*i), profiles.F32, 2, abcd)}})
		all = append(all, i)
	}
	return &Meter{bus: bus, id: "M-1", unit: 1, blocks: []block{newBlock(p, span(p, all...))}, values: len(all)}
}

// BenchmarkReadTCP reads 50 float32 by one request from a device in another
// process, and reports what this process and the kernel on its behalf spend on
// a value.
func BenchmarkReadTCP(b *testing.B) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), responderEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	l := openLine(lineConfig{Address: strings.TrimSpace(addr), Timeout: 10 * time.Second})
	defer l.Close()
	m := floatMeter(l.Bus)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	values, start := 0, cpuTime()
	for b.Loop() {
		readings, err := m.Read(ctx)
		if err != nil {
			b.Fatal(err)
		}
		values += len(readings)
	}
	b.ReportMetric(float64(cpuTime()-start)/float64(values), "cpu-ns/value")
	b.ReportMetric(float64(values)/b.Elapsed().Seconds(), "values/s")
}

// cpuTime is what this process has used, in user and kernel mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
