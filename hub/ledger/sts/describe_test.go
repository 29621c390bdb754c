package sts

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	data := uint64(1)<<44 | 0xA<<40 | 3155520<<16 | 123
	opened := fmt.Sprintf("%016X", data<<16|uint64(Checksum(Credit, data)))
	for _, c := range []struct {
		token, opened, says string
		err                 string
	}{
		{"5649 3153 7254 5031 3471", "", "a test token, for any meter", ""},
		{Token{Class: Credit, Block: 7}.String(), "", "a credit token: it adds credit", ""},
		{Token{Class: Management, Block: 7}.String(), "", "a management token", ""},
		{Token{Class: 3, Block: 7}.String(), "", "reserved", ""},
		{Token{Class: Credit, Block: 7}.String(), opened, "a credit token of water, opened; its check sum is right|identifier tid:3155520: made on 2020-01-01 08:00 UTC (base date 2014)|12.3 m3", ""},
		{Token{Class: Credit, Block: 7}.String(), "0000000000000007", "", "check sum is wrong"},
		{Token{Class: Credit, Block: 7}.String(), "7", "", "16 hexadecimal digits"},
		{Token{Class: Management, Block: 7}.String(), opened, "", "a management token"},
	} {
		token, err := Parse(c.token)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Describe(token, Base2014, c.opened)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.token, err, c.err)
			}
			continue
		}
		if text := strings.Join(d.Lines, "|"); err != nil || !strings.Contains(text, c.says) {
			t.Errorf("%s: %q, %v, want %q", c.token, text, err, c.says)
		}
	}
}

// TestErrorsKeepTheToken: whoever holds a token can load it, and errors are logged.
func TestErrorsKeepTheToken(t *testing.T) {
	for _, s := range []string{"5649 3153 7254 5031 347", "56493153725450313472", "5649 3153 7254 5O31 3471"} {
		_, err := Parse(s)
		if err == nil || strings.Contains(err.Error(), "5649") {
			t.Errorf("%v", err)
		}
	}
}

func TestBases(t *testing.T) {
	for _, b := range Bases() {
		if got, err := ParseBase(fmt.Sprint(int(b))); err != nil || got != b {
			t.Errorf("ParseBase(%d) = %d, %v", b, got, err)
		}
	}
	if _, err := ParseBase("2015"); err == nil {
		t.Error("2015 is taken")
	}
	if want := time.Date(2045, 11, 24, 20, 15, 0, 0, time.UTC); !Base2014.End().Equal(want) {
		t.Errorf("2014 ends at %s, want %s", Base2014.End(), want)
	}
}
