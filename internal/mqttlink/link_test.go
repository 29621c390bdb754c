package mqttlink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestRefusalsReadAsWhatTheyAre(t *testing.T) {
	tests := []struct {
		name    string
		script  script
		want    string
		is      error
		filters []string
	}{
		{"bad password", script{connack: 5}, "wrong password", ErrNotAuthorized, nil},
		{"bad user or password", script{connack: 4}, "wrong password", ErrNotAuthorized, nil},
		{"client id", script{connack: 2}, "refuses the client id", nil, nil},
		{"unavailable", script{connack: 3}, "not available", nil, nil},
		{"protocol", script{connack: 1}, "MQTT 3.1.1", nil, nil},
		{"closed after connect", script{connected: func(p *peer) { p.Close() }}, "closed", ErrLost, nil},
		{"filter refused", script{suback: func(f string) byte {
			if f == "b/#" {
				return 0x80
			}
			return 1
		}}, `"b/#"`, ErrNotAuthorized, []string{"a/+", "b/#"}},
		{"QoS 0 granted", script{suback: func(string) byte { return 0 }}, "QoS 0", nil, []string{"a/+"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				fake := newFake(t, tt.script)
				cfg := fake.config()
				cfg.Subscriptions = tt.filters
				err := firstDown(t, runUntil(t, cfg, nil))
				fake.wait.Wait()
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "tcp://fake:1883") {
					t.Errorf("error %q: want the broker's URL and %q", err, tt.want)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("error %q is not %q", err, tt.is)
				}
				if strings.Contains(fmt.Sprintf("%v %+v", err, cfg), "hunter2") {
					t.Errorf("the password is printed: %v", err)
				}
			})
		})
	}
}

func TestOnlyTheRefusedFilterIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{suback: func(f string) byte {
			if f == "b/#" {
				return 0x80
			}
			return 1
		}})
		cfg := fake.config()
		cfg.Subscriptions = []string{"a/+", "b/#"}
		if err := firstDown(t, runUntil(t, cfg, nil)); strings.Contains(err.Error(), "a/+") {
			t.Errorf("the granted filter is blamed: %v", err)
		}
		fake.wait.Wait()
	})
}

// The trap: with the library's own reconnecting, publishes that no broker ever
// acknowledged are reported as delivered after the next connection.
func TestUnacknowledgedPublishesNeverCountAsDelivered(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean session %v", clean), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				got := 0
				fake := newFake(t,
					script{publish: func(p *peer, _ *packets.PublishPacket) {
						if got++; got == 20 {
							p.Close()
						}
					}},
					script{})
				cfg := fake.config()
				cfg.CleanSession = clean
				var first []*Token
				runUntil(t, cfg, func(ctx context.Context, c *Conn) error {
					if first == nil {
						for i := range 20 {
							first = append(first, c.Publish(ctx, "a/b", []byte{byte(i)}, false))
						}
						<-ctx.Done()
						return context.Cause(ctx)
					}
					// Reuses the packet ids of the first connection.
					for range 20 {
						if err := c.Publish(ctx, "a/b", nil, false).Wait(ctx); err != nil {
							t.Errorf("publish on the second connection: %v", err)
						}
					}
					return errDone
				})
				for i, tok := range first {
					<-tok.Done()
					if !errors.Is(tok.Err(), ErrLost) {
						t.Errorf("publish %d: error %v, want ErrLost", i, tok.Err())
					}
				}
				fake.wait.Wait()
			})
		})
	}
}

// Those that were acknowledged before the loss count, the others do not.
func TestLossInMidFlight(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := 0
		fake := newFake(t, script{publish: func(p *peer, m *packets.PublishPacket) {
			if n++; n <= 7 {
				p.puback(m.MessageID)
				return
			}
			if n == 10 {
				p.Close()
			}
		}})
		runUntil(t, fake.config(), func(ctx context.Context, c *Conn) error {
			var tokens []*Token
			for range 10 {
				tokens = append(tokens, c.Publish(ctx, "a/b", nil, false))
			}
			for i, tok := range tokens {
				<-tok.Done()
				if acked := tok.Err() == nil; acked != (i < 7) {
					t.Errorf("publish %d: error %v", i, tok.Err())
				}
			}
			return errDone
		})
		fake.wait.Wait()
	})
}

func TestStuckBrokerIsLeftAfterPubackTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{publish: func(*peer, *packets.PublishPacket) {}})
		runUntil(t, fake.config(), func(ctx context.Context, c *Conn) error {
			began := time.Now()
			tok := c.Publish(ctx, "a/b", nil, false)
			<-ctx.Done()
			if took := time.Since(began); took != 15*time.Second {
				t.Errorf("the link was given up after %v, want 15s", took)
			}
			<-tok.Done()
			for _, err := range []error{tok.Err(), context.Cause(ctx)} {
				if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "no acknowledgement") {
					t.Errorf("error %v: want ErrLost and the reason", err)
				}
			}
			return errDone
		})
		fake.wait.Wait()
	})
}

func TestSlowProgressIsNoStuckBroker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{publish: func(p *peer, m *packets.PublishPacket) {
			time.AfterFunc(time.Duration(m.MessageID)*10*time.Second, func() { p.puback(m.MessageID) })
		}})
		runUntil(t, fake.config(), func(ctx context.Context, c *Conn) error {
			var tokens []*Token
			for range 5 {
				tokens = append(tokens, c.Publish(ctx, "a/b", nil, false))
			}
			for i, tok := range tokens {
				if err := tok.Wait(ctx); err != nil {
					t.Errorf("publish %d: %v", i, err)
				}
			}
			return errDone
		})
		fake.wait.Wait()
	})
}

func TestWindowBoundsThePublishes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{publish: func(*peer, *packets.PublishPacket) {}})
		cfg := fake.config()
		cfg.Window = 2
		runUntil(t, cfg, func(ctx context.Context, c *Conn) error {
			c.Publish(ctx, "a/b", nil, false)
			c.Publish(ctx, "a/b", nil, false)
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			tok := c.Publish(short, "a/b", nil, false)
			<-tok.Done()
			if !errors.Is(tok.Err(), context.DeadlineExceeded) || ctx.Err() != nil {
				t.Errorf("third publish in a window of two: %v, link: %v", tok.Err(), ctx.Err())
			}
			return errDone
		})
		fake.wait.Wait()
	})
}

func TestImpossiblePublishLeavesTheLinkAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{})
		runUntil(t, fake.config(), func(ctx context.Context, c *Conn) error {
			for _, topic := range []string{"", "a/+", "a/#"} {
				if c.Publish(ctx, topic, nil, false).Err() == nil {
					t.Errorf("topic %q was taken", topic)
				}
			}
			if c.Publish(ctx, "a", make([]byte, MaxPayload+1), false).Err() == nil {
				t.Error("an oversized payload was taken")
			}
			if err := c.Publish(ctx, "a", nil, false).Wait(ctx); err != nil {
				t.Errorf("a good publish afterwards: %v", err)
			}
			return errDone
		})
		fake.wait.Wait()
	})
}

// A persistent session has more waiting than the inbox holds, and the broker
// sends it before it answers the SUBSCRIBE.
func TestBacklogBeforeSubackArrivesWholeAndInOrder(t *testing.T) {
	const backlog = 3000
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{connected: func(p *peer) {
			for i := range backlog {
				_ = p.message(uint16(i+1), fmt.Sprintf("a/%d", i), make([]byte, 100))
			}
		}})
		cfg := fake.config()
		cfg.Subscriptions = []string{"a/+"}
		cfg.InboxBytes = 1000
		runUntil(t, cfg, func(ctx context.Context, c *Conn) error {
			for i := range backlog {
				m := <-c.Messages()
				if want := fmt.Sprintf("a/%d", i); m.Topic != want {
					t.Fatalf("message %d has topic %q, want %q", i, m.Topic, want)
				}
				m.Ack()
				m.Ack()
			}
			synctest.Wait()
			if acks := fake.peer(0).acks(); len(acks) != backlog {
				t.Errorf("the broker got %d acknowledgements, want %d", len(acks), backlog)
			}
			return errDone
		})
		fake.wait.Wait()
	})
}

// A session that takes nothing must not keep the loss of its link from being
// noticed, nor acknowledge anything.
func TestFullInboxDoesNotHideTheLoss(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		stop := make(chan struct{})
		fake := newFake(t, script{deaf: true, connected: func(p *peer) {
			go func() {
				for i := uint16(1); p.message(i, "a/b", make([]byte, 100)) == nil; i++ {
				}
				close(stop)
			}()
		}})
		cfg := fake.config()
		cfg.InboxBytes = 1000
		runUntil(t, cfg, func(ctx context.Context, c *Conn) error {
			began := time.Now()
			<-ctx.Done()
			if took := time.Since(began); took > 2*(30+10)*time.Second {
				t.Errorf("the loss was noticed after %v", took)
			}
			return errDone
		})
		<-stop
		if acks := fake.peer(0).acks(); len(acks) != 0 {
			t.Errorf("%d messages were acknowledged that nobody took", len(acks))
		}
		fake.wait.Wait()
	})
}

func TestMessagesCloseWithTheLinkAndLateAcksAreHarmless(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{connected: func(p *peer) { _ = p.message(9, "a/b", []byte("x")) }})
		runUntil(t, fake.config(), func(_ context.Context, c *Conn) error {
			m := <-c.Messages()
			fake.peer(0).Close()
			if _, open := <-c.Messages(); open {
				t.Error("a message out of nowhere")
			}
			synctest.Wait()
			m.Ack()
			if tok := c.Publish(t.Context(), "a", nil, false); !errors.Is(tok.Err(), ErrLost) {
				t.Errorf("publish on a lost link: %v, want ErrLost", tok.Err())
			}
			return errDone
		})
		if acks := fake.peer(0).acks(); len(acks) != 0 {
			t.Errorf("acknowledged on a dead link: %v", acks)
		}
		fake.wait.Wait()
	})
}

func TestLastWordAndGoodbye(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{})
		ctx, cancel := context.WithCancel(t.Context())
		err := Run(ctx, fake.config(), func(ctx context.Context, c *Conn) error {
			cancel()
			<-ctx.Done()
			last, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer done()
			if err := c.Publish(last, "a/online", []byte("0"), true).Wait(last); err != nil {
				t.Errorf("last word: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fake.wait.Wait()
		if !fake.peer(0).ended {
			t.Error("no DISCONNECT: the broker would publish the will")
		}
	})
}

func TestAttemptsAreSpacedByTheBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{connack: 3})
		cfg := fake.config()
		cfg.Backoff = Backoff{Min: time.Second, Max: 8 * time.Second}
		cfg.Rand = func() float64 { return 0.5 }
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := Run(ctx, cfg, func(context.Context, *Conn) error { return nil }); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 6 * time.Second, 6 * time.Second, 6 * time.Second}
		for i, w := range want {
			if got := fake.dialed[i+1].Sub(fake.dialed[i]); got != w {
				t.Errorf("wait %d is %v, want %v", i, got, w)
			}
		}
		fake.wait.Wait()
	})
}

func TestBackoffStartsAgainAfterALongLink(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fake := newFake(t, script{connack: 3}, script{connack: 3}, script{}, script{})
		cfg := fake.config()
		cfg.Backoff = Backoff{Min: time.Second, Max: 8 * time.Second}
		runs := 0
		states := runUntil(t, cfg, func(ctx context.Context, _ *Conn) error {
			if runs++; runs == 2 {
				return errDone
			}
			pause(ctx, 8*time.Second)
			return errors.New("enough")
		})
		var waits []time.Duration
		for _, s := range states {
			if s.Phase == Down && s.Retry > 0 {
				waits = append(waits, s.Retry)
			}
		}
		want := []time.Duration{500 * time.Millisecond, time.Second, 500 * time.Millisecond}
		if fmt.Sprint(waits) != fmt.Sprint(want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
		fake.wait.Wait()
	})
}

func TestCancelledWhileTheBrokerSaysNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hold := make(chan struct{})
		fake := newFake(t, script{connected: func(*peer) { <-hold }})
		cfg := fake.config()
		cfg.Subscriptions = []string{"a/+"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := Run(ctx, cfg, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Run returned %v after its start, want soon after 1s", took)
		}
		close(hold)
		fake.wait.Wait()
	})
}

// inBubble runs a test on a clock of its own. A connection that is lost leaves
// its goodbye to the client library, which takes goodbyeTime at most; the
// bubble's clock stands still once the test has returned, so that time passes
// before.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			time.Sleep(2 * goodbyeTime) // of the bubble
			synctest.Wait()
		}()
		test(t)
	})
}
