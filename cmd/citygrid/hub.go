package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	brokerconfig "citygrid/broker-config"
	"citygrid/dashboards"
	"citygrid/hub/accounts"
	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/hub/ingest"
	"citygrid/hub/store"
	"citygrid/internal/certs"
	"citygrid/internal/city"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/influxd"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/codes"
	"citygrid/schemas/seal"
)

func newHub() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "hub -c FILE",
		Short: "Receive, open, store, answer and show, until told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			h, err := newHubProgram(cfg, cli.NewLog())
			if err != nil {
				return fmt.Errorf("configuration %s: %w", path, err)
			}
			return h.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file")
	cli.MustRequire(cmd, "config")
	return cmd
}

// hubProgram is a configured hub: what is read from files, before the first
// socket.
type hubProgram struct {
	cfg       *config.Config
	log       *slog.Logger
	provider  seal.Provider
	masters   enrolment.Masters
	ring      atomic.Pointer[seal.Ring]
	password  secret.Secret
	token     secret.Secret
	tls       *tls.Config     // of the link to the broker; nil without certificates
	pages     *certs.Listener // certificate of the pages; nil: in clear
	brokerTLS *certs.Listener // certificate of the embedded broker; nil: in clear, or another's
	enrolled  atomic.Pointer[enrolment.List]
	installed atomic.Pointer[installations]
	registry  *prometheus.Registry
	closing   chan struct{}      // ends the live streams
	books     *openLedger        // nil: this hub keeps none
	runner    *runner            // of the books
	grid      *gridProgram       // nil: this hub keeps none
	codes     *codes.Lists       // the program's and the city's
	accounts  *accounts.Accounts // nil: this hub has none
}

func newHubProgram(cfg *config.Config, log *slog.Logger) (*hubProgram, error) {
	h := &hubProgram{cfg: cfg, log: log, registry: prometheus.NewRegistry(), closing: make(chan struct{})}
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := seal.SelfTest(); err != nil {
		return nil, fmt.Errorf("the SM4 self-test failed; this machine must not open readings: %w", err)
	}
	var err error
	if h.provider, err = seal.ProviderByName(cfg.Provider); err != nil {
		return nil, err
	}
	if err := h.loadInstallations(); err != nil {
		return nil, err
	}
	if h.codes, err = loadCodes(cfg.Path(cfg.Codes)); err != nil {
		return nil, fmt.Errorf("codes: %w", err)
	}
	if h.masters, err = mastersOf(cfg); err != nil {
		return nil, err
	}
	if err := h.loadKeys(context.Background()); err != nil { // a program of the master key has a time limit
		return nil, err
	}
	if h.password, err = seal.ReadPassphrase(sourceIn(cfg, cfg.Broker.Password)); err != nil {
		return nil, fmt.Errorf("broker.password: %w", err)
	}
	if cfg.Influx.Token != "" {
		if h.token, err = seal.ReadPassphrase(sourceIn(cfg, cfg.Influx.Token)); err != nil {
			return nil, fmt.Errorf("influx.token (leave it out for none): %w", err)
		}
	}
	return h, h.loadCertificates()
}

// sourceIn makes the path of a file: source relative to the configuration.
func sourceIn(cfg *config.Config, source string) string {
	if path, ok := strings.CutPrefix(source, "file:"); ok {
		return "file:" + cfg.Path(path)
	}
	return source
}

// run starts every part in the order of the flow, backwards, so that nothing
// arrives before it can be taken, and stops them in the other order.
func (h *hubProgram) run(ctx context.Context, out io.Writer) (err error) {
	dir := h.cfg.Path(h.cfg.DataDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cli.Failed(fmt.Errorf("data folder: %w", err))
	}
	unlock, err := durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return cli.Failed(fmt.Errorf("data folder %s: %w", dir, err))
	}
	defer func() { err = errors.Join(err, unlock()) }()

	defer func() { err = errors.Join(err, h.closeBooks()) }()
	if err := h.openBooks(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.closeAccounts()) }()
	if err := h.openAccounts(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.closeGrid()) }()
	if err := h.openGrid(ctx); err != nil {
		return err
	}
	bundled, err := h.startInflux(ctx, dir)
	if err != nil {
		return cli.Failed(err)
	}
	defer bundled.stop()
	influxTLS, err := storeTLS(h.cfg)
	if err != nil {
		return err
	}
	series, err := store.Open(store.Config{URL: bundled.url, Org: h.cfg.Influx.Org, Bucket: h.cfg.Influx.Bucket, Token: h.token, TLS: influxTLS})
	if err != nil {
		return err
	}
	defer series.Close()
	if h.books != nil {
		h.books.registers = series
	}
	writer, err := store.NewWriter(series, store.WriterConfig{QueuePoints: queuePoints, Log: h.log})
	if err != nil {
		return err
	}
	broker, brokerURL, err := h.startBroker(ctx, dir)
	if err != nil {
		return cli.Failed(err)
	}
	if broker != nil {
		defer broker.Close()
		registerBroker(h.registry, broker)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return bundled.watch(ctx) })
	g.Go(func() error { return h.serve(ctx, out, dir, series, writer, broker, brokerURL) })
	return g.Wait()
}

// seriesServer is the InfluxDB that the hub writes to.
type seriesServer struct {
	url   string
	ended <-chan struct{} // nil: not a child of this process
	log   string          // path of the child's log
	stop  func()
}

// watch returns when ctx is done, and an error when the child ends before: its
// port is a new one at the next start, so the hub cannot go on without it.
func (s *seriesServer) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.ended:
		if ctx.Err() != nil {
			return nil // both were told to stop
		}
		return cli.Failed(fmt.Errorf("the bundled InfluxDB has ended by itself; look at the end of %s, then start the hub again: nothing acknowledged is lost", s.log))
	}
}

// startInflux starts the bundled InfluxDB, or returns the configured one.
func (h *hubProgram) startInflux(ctx context.Context, dir string) (*seriesServer, error) {
	if !h.cfg.Influx.Bundled {
		return &seriesServer{url: h.cfg.Influx.URL, stop: func() {}}, nil
	}
	path := filepath.Join(dir, "influxd.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of the bundled InfluxDB: %w", err)
	}
	server, err := influxd.Start(ctx, influxd.Options{Dir: filepath.Join(dir, "influxdb"), Database: h.cfg.Influx.Bucket, Backup: h.cfg.Influx.Backup, Log: log})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &seriesServer{url: server.URL(), ended: server.Done(), log: path, stop: func() {
		if err := errors.Join(server.Stop(), log.Close()); err != nil {
			h.log.Error("stop InfluxDB", "error", err)
		}
	}}, nil
}

// startBroker starts the embedded broker, or returns the configured one.
func (h *hubProgram) startBroker(ctx context.Context, dir string) (*brokerconfig.Broker, string, error) {
	if h.cfg.Broker.Listen == "" {
		return nil, h.cfg.Broker.URL, nil
	}
	options, err := brokerOptions(h.cfg.Broker.Listen, filepath.Join(dir, "broker"), h.enrolled.Load(), h.cfg.Areas)
	if err != nil {
		return nil, "", err
	}
	options.Log = h.log
	if h.brokerTLS != nil {
		options.TLS, options.Revoked = h.brokerTLS.Config(), h.brokerTLS.Revoked
	}
	b, err := brokerconfig.Start(ctx, options)
	if err != nil {
		return nil, "", err
	}
	return b, b.URL(), nil
}

// serve wires the flow and runs it until ctx is done or a part fails for good.
func (h *hubProgram) serve(ctx context.Context, out io.Writer, dir string, series *store.Store, writer *store.Writer, broker *brokerconfig.Broker, brokerURL string) (err error) {
	live := api.NewLive(time.Now)
	town, err := h.newCity(live, series)
	if err != nil {
		return err
	}
	var receiver *ingest.Receiver
	slots, err := h.openSlots(ctx, series, func() *ingest.Receiver { return receiver })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cli.Failed(slots.Close())) }()
	receiver, err = ingest.New(ingest.Options{
		Tenant: h.ring.Load().Tenant(), Provider: h.provider, Master: ringNow{h}, Enrolled: h.find, Admit: h.admit,
		Store: storeQueue{writer}, Observer: observeSlots(town.observer(live), slots), Slots: slots, Dir: dir, Registry: h.registry, Log: h.log,
		Random: rand.Reader, CrossCheckEvery: h.cfg.CrossCheckEvery, Cards: h.cardStore(), Events: h.eventStore(series),
	})
	if err != nil {
		return cli.Failed(err)
	}
	registerWriter(h.registry, writer)
	registerSpools(h.registry, live)
	options := h.apiOptions(live, receiver, series, writer, brokerURL)
	if err := errors.Join(h.ledgerOptions(&options), h.gridOptions(&options), h.accountOptions(&options)); err != nil {
		return err
	}
	town.options(&options, &h.cfg.Map)
	slotOptions(&options, slots)
	handler, err := api.New(options)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", h.cfg.Listen)
	if err != nil {
		return cli.Failed(fmt.Errorf("serve pages (listen: %s in the configuration): %w", h.cfg.Listen, err))
	}
	if err := h.offerSetUp(ctx, os.Stderr, listener.Addr()); err != nil {
		return cli.Failed(err)
	}
	warmLive(ctx, live, series, h.log)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { writer.Run(ctx); return nil })
	g.Go(func() error { return orderly(receiver.Run(ctx)) })
	g.Go(func() error { return slots.Run(ctx) })
	g.Go(func() error { return orderly(mqttlink.Run(ctx, h.linkConfig(brokerURL), receiver.Session)) })
	g.Go(func() error { return h.servePages(ctx, listener, handler) })
	g.Go(func() error { h.watchCertificates(ctx, live); return nil })
	g.Go(func() error { h.reloadOnSignal(ctx, broker); return nil })
	g.Go(func() error { return h.tidyAccounts(ctx) })
	if h.runner != nil {
		g.Go(func() error { return h.runner.Run(ctx) })
	}
	if h.grid != nil {
		g.Go(func() error { return h.grid.run(ctx, series) })
		g.Go(func() error { return town.run(ctx) })
	}
	g.Go(func() error { return h.charts(ctx, live, series) })
	g.Go(func() error {
		return announce(out, city.Ready{Part: city.Hub, URL: h.scheme() + listener.Addr().String()})
	})
	if err := g.Wait(); err != nil {
		return cli.Failed(err)
	}
	return nil
}

// orderly drops the error of a part that was told to stop.
func orderly(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// find answers for the receiver who is enrolled. A revoked collector is not,
// and has a generation all the same.
func (h *hubProgram) find(id schemas.CollectorID) (schemas.AreaCode, uint16, bool) {
	c, ok := h.enrolled.Load().Find(id)
	return c.Area, c.Generation, ok && !c.Revoked
}

func (h *hubProgram) linkConfig(url string) mqttlink.Config {
	return mqttlink.Config{
		URL: url, ClientID: h.cfg.Broker.User, User: h.cfg.Broker.User, Password: h.password, TLS: h.tls,
		Subscriptions: ingest.Subscriptions(h.cfg.Areas), Log: h.log,
		// There are few hubs, and all collectors wait for theirs.
		Backoff: mqttlink.Backoff{Min: 300 * time.Millisecond, Max: 5 * time.Second},
	}
}

// reloadOnSignal reads the enrolment, the installations and the certificates again on SIGHUP, so
// that a new collector gets in without a restart. A file that is wrong changes
// nothing.
func (h *hubProgram) reloadOnSignal(ctx context.Context, broker *brokerconfig.Broker) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		if err := h.loadInstallations(); err != nil {
			h.log.Error("the installations were not reloaded; the old ones stay in force", "error", err)
		}
		if err := errors.Join(reloadTLS(h.pages, nil), reloadTLS(h.brokerTLS, broker)); err != nil {
			h.log.Error("not all certificates were reloaded; the old ones stay in force", "error", err)
		}
		if err := h.reload(ctx, broker); err != nil {
			h.log.Error("the enrolment was not reloaded; the old one stays in force", "error", err)
			continue
		}
		h.log.Info("enrolment reloaded", "collectors", len(h.enrolled.Load().Collectors))
	}
}

func (h *hubProgram) reload(ctx context.Context, broker *brokerconfig.Broker) error {
	if err := h.loadKeys(ctx); err != nil || broker == nil {
		return err
	}
	access, err := h.enrolled.Load().Access(h.cfg.Areas)
	if err != nil {
		return err
	}
	return broker.SetAccess(access)
}

func (h *hubProgram) apiOptions(live *api.Live, receiver *ingest.Receiver, series *store.Store, writer *store.Writer, brokerURL string) api.Options {
	pages, err := dashboards.Pages()
	if err != nil {
		h.log.Error("pages", "error", err)
	}
	zone, err := h.cfg.Location()
	if err != nil {
		h.log.Error("days are those of UTC; mend zone in the section grid or ledger", "error", err)
	}
	return api.Options{
		Zone: zone, Live: live, Series: seriesOf{series}, Diagnoses: seriesOf{series}, Installations: h.installationsOf, Pages: pages, Now: time.Now, Log: h.log, Closing: h.closing,
		Flow:    func() api.FlowCounters { return flowCounters(receiver, writer) },
		Metrics: promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}),
		Version: api.Version{Version: version, Go: runtime.Version()},
		Ready: []api.Check{
			{Name: "broker", Do: "look whether the broker at " + brokerURL + " runs and lets user " + h.cfg.Broker.User + " in", Check: func(context.Context) error {
				if !receiver.Connected() {
					return errors.New("not connected")
				}
				return nil
			}},
			{Name: "cards", Do: "configure the ledger of this hub, or send the collectors' cards to a hub that has one", Check: func(context.Context) error {
				return receiver.CardsReady()
			}},
			{Name: "events", Do: "look whether this hub has a store for component events; they wait with their collectors", Check: func(context.Context) error {
				return receiver.EventsReady()
			}},
			{Name: "store", Do: "look whether InfluxDB at " + series.URL() + " runs; readings wait meanwhile", Check: storeCheck(series.Ping, writer.Stats)},
		},
	}
}
