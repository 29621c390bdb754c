package accounts

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/internal/pgtest"
)

// Whatever is wrong, the same error comes after the same number of hashes of the same
// cost, and one entry of the log.
func TestNobodyIsTold(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		root := h.admin().Access
		h.person(root, clerk, other)
		gone := h.person(root, NewPerson{ID: "gone", Roles: []Role{Viewer}}, other)
		must(t, h.Disable(t.Context(), root, gone.Key))
		_, err := h.Add(t.Context(), root, NewPerson{ID: "bare", Roles: []Role{Viewer}})
		must(t, err)
		for _, s := range []SignIn{{Name: "zhang.san", Password: good}, {Name: "nobody", Password: good}, {Name: "", Password: ""}, {Name: "gone", Password: other}, {Name: "bare", Password: ""}, {Name: "bare", Password: good}} {
			s.From = netip.AddrFrom4([4]byte{10, 0, byte(rand.N(256)), byte(rand.N(256))})
			hashes, acts := h.hashes.done.Load(), len(h.acts())
			_, err := h.SignIn(t.Context(), s)
			if !errors.Is(err, ErrRefused) || err.Error() != ErrRefused.Error() {
				t.Errorf("%s: %v", s.Name, err)
			}
			if n := h.hashes.done.Load() - hashes; n != 1 {
				t.Errorf("%s: %d hashes", s.Name, n)
			}
			if n := len(h.acts()) - acts; n != 1 {
				t.Errorf("%s: %d entries", s.Name, n)
			}
		}
	})
}

// Where hashes of two costs are stored, unknown names are checked at both.
func TestDecoysCostWhatPeopleCost(t *testing.T) {
	h := openHub(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db"), Options{})
	root := h.admin().Access
	dear := HashCost{MemoryKiB: 128, Passes: 1, Lanes: 1}
	h.reopen(Options{Hash: dear})
	h.person(root, clerk, other)
	seen := map[HashCost]int{}
	for range 200 {
		name := drawToken()
		one, err := h.candidate(t.Context(), name, "")
		must(t, err)
		again, err := h.candidate(t.Context(), name, "")
		must(t, err)
		if one.hash.cost != again.hash.cost || one.usable {
			t.Fatal("the same name costs something else the second time")
		}
		seen[one.hash.cost]++
	}
	if seen[cheap] < 50 || seen[dear] < 50 {
		t.Fatalf("decoys: %v", seen)
	}
	in := h.in("root", good) // stores it anew
	c, err := h.candidate(t.Context(), "root", string(in.Device.Reveal()))
	must(t, err)
	if c.hash.cost != dear || !c.knownDevice {
		t.Fatalf("after a sign-in: %+v", c)
	}
	h.in("root", good)
}

func TestPauses(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		in := h.admin()
		guess := func(n int, name, device string) error {
			from := netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)})
			_, err := h.SignIn(t.Context(), SignIn{Name: name, Password: "wrong password", Device: device, From: from})
			return err
		}
		var pause *PauseError
		for _, name := range []string{"root", "nobody"} { // the same for both
			tried := 0
			for n := range 40 {
				if err := guess(n, name, ""); !errors.As(err, &pause) {
					want(t, err, ErrRefused)
					tried++
				}
			}
			if tried != 10 || pause.Wait != time.Second {
				t.Errorf("%s: %d guesses from 40 addresses, pause %v", name, tried, pause.Wait)
			}
		}
		for range 20 { // pauses grow to a minute and no further
			h.add(pause.Wait)
			want(t, guess(1, "root", ""), ErrRefused)
			if err := guess(2, "root", ""); !errors.As(err, &pause) {
				t.Fatal(err)
			}
		}
		if pause.Wait != time.Minute {
			t.Errorf("pause %v", pause.Wait)
		}
		// The person is not kept out where they have signed in before, and a device of
		// somebody else is none.
		back, err := h.SignIn(t.Context(), SignIn{Name: "root", Password: good, Device: string(in.Device.Reveal()), From: here})
		must(t, err)
		if err := guess(3, "root", drawToken()); !errors.As(err, &pause) {
			t.Errorf("an invented device: %v", err)
		}
		for n := 0; ; n++ {
			if err := guess(n, "root", string(back.Device.Reveal())); errors.As(err, &pause) {
				if n != 5 {
					t.Errorf("%d guesses from a known browser", n)
				}
				break
			}
		}
	})
}

func TestPausesOfAnAddress(t *testing.T) {
	p, now := newPauses(), time.Unix(1e9, 0)
	tried := 0
	for n := range 100 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: 1, 15: byte(n)}) // one /64
		if _, err := p.begin(now, byAddress(a)); err == nil {
			tried++
		}
	}
	if tried != 20 {
		t.Errorf("%d attempts from one network", tried)
	}
	if a, b := byAddress(netip.MustParseAddr("::ffff:192.0.2.7")), byAddress(here); a.key != b.key {
		t.Errorf("%s is not %s", a.key, b.key)
	}
	longest := time.Duration(0)
	for range 200 {
		_, err := p.begin(now, byAddress(netip.MustParseAddr("2001:db8:0:1::5")))
		var pause *PauseError
		if errors.As(err, &pause) {
			longest = max(longest, pause.Wait)
			now = now.Add(pause.Wait)
		}
	}
	if longest != longestPause {
		t.Errorf("longest pause %v", longest)
	}
	if _, err := p.begin(now.Add(-1000*time.Hour), limited{"x", deviceLimit()}, byAddress(here)); err != nil {
		t.Errorf("clock set back: %v", err)
	}
	for range 3 * generation {
		_, err := p.begin(now, limited{drawToken(), nameLimit()})
		must(t, err)
	}
	if n := len(p.new) + len(p.old); n > 2*generation {
		t.Errorf("%d keys are kept", n)
	}
}

// A sign-in of one's own must not buy guesses at others.
func TestOwnSignInsBuyNoGuesses(t *testing.T) {
	h := openHub(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db"), Options{})
	h.person(h.admin().Access, clerk, other)
	tried := 0
	for range 60 {
		_, err := h.SignIn(t.Context(), SignIn{Name: drawToken(), Password: "wrong password", From: there})
		if errors.Is(err, ErrRefused) {
			tried++
		}
		_, _ = h.SignIn(t.Context(), SignIn{Name: "zhang.san", Password: other, From: there})
	}
	if tried > 20 {
		t.Errorf("%d guesses", tried)
	}
}

// Many guesses at once are no more guesses.
func TestGuessesAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		h.admin()
		var all sync.WaitGroup
		var tried atomic.Int32
		for n := range 50 {
			all.Go(func() {
				from := netip.AddrFrom4([4]byte{203, 0, 113, byte(n)})
				_, err := h.SignIn(t.Context(), SignIn{Name: "root", Password: "wrong password", From: from})
				if errors.Is(err, ErrRefused) {
					tried.Add(1)
				}
			})
		}
		all.Wait()
		if n := tried.Load(); n != 10 {
			t.Errorf("%d guesses", n)
		}
		_, err := h.CheckAudit(t.Context(), Head{})
		must(t, err)
	})
}

func TestChangePassword(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		in := h.admin()
		second := h.in("root", good)
		var weak *WeakError
		for _, bad := range []string{good, "short", "rootrootroot", "111111111111"} {
			if err := h.ChangePassword(t.Context(), in.Access, good, bad); !errors.As(err, &weak) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		want(t, h.ChangePassword(t.Context(), in.Access, other, other), ErrRefused)
		want(t, h.ChangePassword(t.Context(), Access{Person: in.Access.Person}, good, other), ErrRefused)
		must(t, h.ChangePassword(t.Context(), in.Access, good, other))
		_, err := h.Session(t.Context(), string(in.Session.Reveal()), here)
		must(t, err)
		_, err = h.Session(t.Context(), string(second.Session.Reveal()), here)
		want(t, err, ErrRefused)
		_, err = h.SignIn(t.Context(), SignIn{Name: "root", Password: good, From: here})
		want(t, err, ErrRefused)
		h.in("root", other)
	})
}

func TestInvitations(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		root := h.admin().Access
		zhang := h.person(root, clerk, other)
		in := h.in("zhang.san", other)
		first, err := h.Invite(t.Context(), root, zhang.Key)
		must(t, err)
		c, err := h.Invite(t.Context(), root, zhang.Key)
		must(t, err)
		want(t, h.Redeem(t.Context(), string(first.Code.Reveal()), good, here), ErrRefused)
		_, err = h.SetUp(t.Context(), string(c.Code.Reveal()), NewPerson{ID: "evil"}, good, here)
		want(t, err, ErrRefused)
		h.add(71 * time.Hour)
		must(t, h.Redeem(t.Context(), string(c.Code.Reveal()), good, here))
		want(t, h.Redeem(t.Context(), string(c.Code.Reveal()), other, here), ErrRefused)
		_, err = h.Session(t.Context(), string(in.Session.Reveal()), here)
		want(t, err, ErrRefused)
		h.in("张三", good)
		c, err = h.Invite(t.Context(), TheHub(), zhang.Key)
		must(t, err)
		h.add(72 * time.Hour)
		want(t, h.Redeem(t.Context(), string(c.Code.Reveal()), other, here), ErrRefused)
		must(t, h.Tidy(t.Context()))
	})
}

// TestSessionsEndInTime walks at random through uses and waits, and compares with what
// the times of rest and of the whole say.
func TestSessionsEndInTime(t *testing.T) {
	life := Lifetime{Idle: 32 * time.Minute, Whole: 5 * time.Hour}
	h := openHub(t, "sqlite:"+filepath.Join(t.TempDir(), "a.db"), Options{Lifetimes: func([]Role) Lifetime { return life }})
	h.admin()
	chance := rand.New(rand.NewPCG(1, 2))
	idled, whole := 0, 0
	for range 150 {
		session := string(h.in("root", good).Session.Reveal())
		began, used := h.now(), h.now()
		for {
			h.add(time.Duration(chance.Int64N(int64(life.Idle + life.Idle/20))))
			_, err := h.Session(t.Context(), session, here)
			rest := h.now().Sub(used)
			switch over := h.now().Sub(began) >= life.Whole; {
			case err == nil && (over || rest >= life.Idle):
				t.Fatalf("open after %v of rest, %v in all", rest, h.now().Sub(began))
			case err != nil && !over && rest < life.Idle*15/16:
				t.Fatalf("%v after %v of rest, %v in all", err, rest, h.now().Sub(began))
			case err != nil && over:
				whole++
			case err != nil:
				idled++
			}
			if err != nil {
				break
			}
			used = h.now()
		}
		if _, err := h.Session(t.Context(), session, here); !errors.Is(err, ErrRefused) {
			t.Fatal("a session that was over is open again")
		}
	}
	if idled == 0 || whole == 0 {
		t.Fatalf("%d ended by rest, %d by the whole", idled, whole)
	}
}

func TestSessions(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		h := openHub(t, dsn, Options{})
		first := h.admin()
		second, err := h.SignIn(t.Context(), SignIn{Name: "root", Password: good, From: here, Replaces: string(first.Session.Reveal()), Device: string(first.Device.Reveal())})
		must(t, err)
		if second.Session.Equal(first.Session) || !second.Device.Equal(first.Device) {
			t.Error("a sign-in renews the session and keeps the device")
		}
		_, err = h.Session(t.Context(), string(first.Session.Reveal()), here)
		want(t, err, ErrRefused)
		third := h.in("root", good)
		list, err := h.Sessions(t.Context(), third.Access)
		must(t, err)
		if len(list) != 2 || list[0].This == list[1].This || list[0].From != here.String() {
			t.Errorf("sessions: %+v", list)
		}
		must(t, h.SignOut(t.Context(), third.Access))
		_, err = h.Session(t.Context(), string(third.Session.Reveal()), here)
		want(t, err, ErrRefused)
		must(t, h.SignOutEverywhere(t.Context(), second.Access, second.Access.Person.Key))
		_, err = h.Session(t.Context(), string(second.Session.Reveal()), here)
		want(t, err, ErrRefused)
		fourth := h.in("root", good)
		_, err = h.db.Write.Exec("UPDATE account_people SET disabled_ms = 1") // and the session is still there
		must(t, err)
		for _, bad := range []string{"", "x", second.Access.session, string(fourth.Session.Reveal())} {
			_, err = h.Session(t.Context(), bad, here)
			want(t, err, ErrRefused)
		}
	})
}

// What waits for a turn is bounded, and leaves when its client does.
func TestHashesAreBounded(t *testing.T) {
	k := newHasher(1, 1)
	k.places <- struct{}{} // somebody is being checked
	k.queue <- struct{}{}
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	k.queue <- struct{}{} // and somebody waits
	if _, err := k.sum(ctx, nil, nil, cheap); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
	<-k.queue
	go func() { _, err := k.sum(ctx, nil, nil, cheap); gone <- err }()
	leave()
	want(t, <-gone, context.Canceled)
	if k.done.Load() != 0 || len(k.queue) != 1 {
		t.Fatalf("%d hashes, %d in the queue", k.done.Load(), len(k.queue))
	}
}

// BenchmarkSignIn is one sign-in at the default cost.
func BenchmarkSignIn(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "a.db")
			if engine == "postgres" {
				dsn = pgtest.Need(b, postgres)
			}
			h := openHub(b, dsn, Options{Hash: DefaultHash()})
			in := h.admin()
			b.Run("sign-in", func(b *testing.B) {
				for b.Loop() {
					h.in("root", good)
				}
			})
			b.Run("session", func(b *testing.B) {
				session := string(in.Session.Reveal())
				for b.Loop() {
					_, err := h.Session(b.Context(), session, here)
					must(b, err)
				}
			})
		})
	}
}
