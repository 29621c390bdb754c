package api

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"citygrid/hub/accounts"
)

// FuzzBodies sends any body, of any type, to every operation that takes one, as somebody
// with all roles: the answer is a success or a problem of the sender's, with its code.
func FuzzBodies(f *testing.F) {
	h := openHub(f, nil)
	h.person(f, "all", accounts.Clerk, accounts.Acceptor)
	var ops [][2]string
	for _, op := range operations(f, h.browser().signIn(f, "root", rootPassword)) {
		method, path, _ := strings.Cut(op, " ")
		if method != "GET" && path != "/api/v1/session" {
			path, _, _ = strings.Cut(target(path), "?")
			ops = append(ops, [2]string{method, path})
		}
	}
	for n := range ops {
		f.Add(uint8(n), false, "", `{}`)
		f.Add(uint8(n), true, "utility=water&kind=vending&name=a.csv", `{"roles":["clerk"],"id":"x","class":"`+coverClass+`"}`)
	}
	f.Add(uint8(0), true, "kind=clearing", "#citygrid,1\r\na,b\r\n")
	f.Add(uint8(1), false, "crs=CGCS2000", `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":null}]}`)
	who := []*browser{h.browser().signIn(f, "root", rootPassword), h.browser().signIn(f, "all", otherPassword)}
	f.Fuzz(func(t *testing.T, n uint8, second bool, query, body string) {
		op, b := ops[int(n)%len(ops)], who[0]
		if second {
			b = who[1]
		}
		r := httptest.NewRequest(op[0], home+op[1], strings.NewReader(body))
		r.URL.RawQuery, r.RemoteAddr = query, b.from
		r.Header.Set("Content-Type", "application/json")
		for _, c := range b.cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 501 && w.Code != 503 {
			t.Fatalf("%v?%s %q: %d %s", op, query, body, w.Code, w.Body)
		}
		if w.Code >= 400 && (!json.Valid(w.Body.Bytes()) || codeOf(t, w) == "") {
			t.Fatalf("%v?%s %q: no code in %d %s", op, query, body, w.Code, w.Body)
		}
	})
}
