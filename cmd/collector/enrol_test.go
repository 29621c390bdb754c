package main

import (
	"crypto/rand"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"citygrid/schemas/seal"
)

// answer is the key office: answer how version out [request], where how is plain, next,
// key, code or request. A code is written to out.code.
func answer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: answer how version out [request]")
	}
	master, out := ts.Value("master").(*seal.Master), ts.MkAbs(args[2])
	version, err := strconv.ParseUint(args[1], 10, 8)
	ts.Check(err)
	whole, err := seal.Issue(master, "310115", "c1", uint8(version), rand.Reader)
	ts.Check(err)
	next, err := seal.Rotate(master, "310115", "c1", uint8(version))
	ts.Check(err)
	var data []byte
	switch args[0] {
	case "plain":
		data, err = whole.MarshalFile()
	case "next":
		data, err = next.MarshalFile()
	case "key":
		var old seal.CollectorKey
		if old, err = master.CollectorKey(seal.DefaultProvider(), next.Generation-1, "c1"); err == nil {
			data, err = seal.SealWithKey(old, next.Generation-1, next, rand.Reader)
		}
	case "code":
		code, e := seal.NewCode(rand.Reader)
		ts.Check(e)
		ts.Check(os.WriteFile(out+".code", append(code.Reveal(), '\n'), 0o600))
		data, err = seal.SealWithCode(code, whole, rand.Reader)
	case "request":
		request, e := seal.ParseRequest([]byte(ts.ReadFile(args[3])))
		ts.Check(e)
		whole.Collector, whole.BrokerUser = request.Collector, string(request.Collector)
		data, err = seal.SealFor(request, whole, rand.Reader)
	}
	ts.Check(err)
	ts.Check(os.WriteFile(out, data, 0o600))
}
