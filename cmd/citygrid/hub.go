package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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
			h, err := newHubProgram(cfg, newLog())
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
	master    *seal.Master
	password  secret.Secret
	token     secret.Secret
	tls       *tls.Config // of the link to the broker; nil without certificates
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
	if err := errors.Join(h.loadEnrolment(), h.loadInstallations()); err != nil {
		return nil, err
	}
	if h.codes, err = loadCodes(cfg.Path(cfg.Codes)); err != nil {
		return nil, fmt.Errorf("codes: %w", err)
	}
	passphrase, err := seal.ReadPassphrase(sourceIn(cfg, cfg.Passphrase))
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	if h.master, err = readMaster(cfg.Path(cfg.Master), passphrase); err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	if h.password, err = seal.ReadPassphrase(sourceIn(cfg, cfg.Broker.Password)); err != nil {
		return nil, fmt.Errorf("broker.password: %w", err)
	}
	if cfg.Influx.Token != "" {
		if h.token, err = seal.ReadPassphrase(sourceIn(cfg, cfg.Influx.Token)); err != nil {
			return nil, fmt.Errorf("influx.token (leave it out for none): %w", err)
		}
	}
	h.tls, err = linkTLS(cfg)
	return h, err
}

// sourceIn makes the path of a file: source relative to the configuration.
func sourceIn(cfg *config.Config, source string) string {
	if path, ok := strings.CutPrefix(source, "file:"); ok {
		return "file:" + cfg.Path(path)
	}
	return source
}

func (h *hubProgram) loadEnrolment() error {
	path := h.cfg.Path(h.cfg.Enrolment)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("enrolment list (enrolment in the configuration; citygrid keys init makes it): %w", err)
	}
	list, err := enrolment.Load(path)
	if err != nil {
		return err
	}
	h.enrolled.Store(list)
	return nil
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
	series, err := store.Open(store.Config{URL: bundled.url, Org: h.cfg.Influx.Org, Bucket: h.cfg.Influx.Bucket, Token: h.token})
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
	server, err := influxd.Start(ctx, influxd.Options{Dir: filepath.Join(dir, "influxdb"), Database: h.cfg.Influx.Bucket, Log: log})
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
	if h.cfg.Broker.Cert != "" {
		if options.TLS, err = brokerconfig.LoadServerTLS(h.cfg.Path(h.cfg.Broker.Cert), h.cfg.Path(h.cfg.Broker.Key), ""); err != nil {
			return nil, "", err
		}
	}
	b, err := brokerconfig.Start(ctx, options)
	if err != nil {
		return nil, "", err
	}
	return b, b.URL(), nil
}

// serve wires the flow and runs it until ctx is done or a part fails for good.
func (h *hubProgram) serve(ctx context.Context, out io.Writer, dir string, series *store.Store, writer *store.Writer, broker *brokerconfig.Broker, brokerURL string) error {
	live := api.NewLive(time.Now)
	town, err := h.newCity(live, series)
	if err != nil {
		return err
	}
	receiver, err := ingest.New(ingest.Options{
		Tenant: h.master.Tenant, Provider: h.provider, Master: h.master, Enrolled: h.find,
		Store: storeQueue{writer}, Observer: town.observer(live), Dir: dir, Registry: h.registry, Log: h.log,
		Random: rand.Reader, CrossCheckEvery: h.cfg.CrossCheckEvery, Cards: h.cardStore(), Events: h.eventStore(series),
	})
	if err != nil {
		return cli.Failed(err)
	}
	registerWriter(h.registry, writer)
	options := h.apiOptions(live, receiver, series, writer, brokerURL)
	if err := errors.Join(h.ledgerOptions(&options), h.gridOptions(&options), h.accountOptions(&options)); err != nil {
		return err
	}
	town.options(&options, &h.cfg.Map)
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
	g.Go(func() error { return orderly(mqttlink.Run(ctx, h.linkConfig(brokerURL), receiver.Session)) })
	g.Go(func() error { return h.servePages(ctx, listener, handler) })
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
		return announce(out, city.Ready{Part: city.Hub, URL: "http://" + listener.Addr().String()})
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
	}
}

// linkTLS reads the certificates of the hub's link; nil when there are none.
func linkTLS(cfg *config.Config) (*tls.Config, error) {
	b := cfg.Broker
	switch {
	case b.CA == "" && b.Cert == "":
		return nil, nil
	case b.Listen != "":
		return pinned(cfg.Path(b.Cert), cfg.Path(b.Key))
	}
	loaded, err := mqttlink.LoadTLS(cfg.Path(b.CA), cfg.Path(b.Cert), cfg.Path(b.Key))
	if err != nil {
		return nil, fmt.Errorf("broker.ca, broker.cert, broker.key: %w", err)
	}
	return loaded, nil
}

// pinned trusts one certificate and no other: that of the hub's own broker,
// whose names are those that collectors use, not the address of this machine.
func pinned(certFile, keyFile string) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("broker.cert: %w", err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errors.New("the embedded broker shows a certificate that is not broker.cert: another program listens on its port")
			}
			return nil
		},
	}, nil
}

// reloadOnSignal reads the enrolment and the installations again on SIGHUP, so
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
		if err := h.reload(broker); err != nil {
			h.log.Error("the enrolment was not reloaded; the old one stays in force", "error", err)
			continue
		}
		h.log.Info("enrolment reloaded", "collectors", len(h.enrolled.Load().Collectors))
	}
}

func (h *hubProgram) reload(broker *brokerconfig.Broker) error {
	if err := h.loadEnrolment(); err != nil || broker == nil {
		return err
	}
	access, err := h.enrolled.Load().Access(h.cfg.Areas)
	if err != nil {
		return err
	}
	return broker.SetAccess(access)
}

// servePages serves HTTP until ctx is done.
func (h *hubProgram) servePages(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelWarn)}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		close(h.closing)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(bound) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-down // the requests under way get their answers
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve pages: %w", err)
	}
	return nil
}

func (h *hubProgram) apiOptions(live *api.Live, receiver *ingest.Receiver, series *store.Store, writer *store.Writer, brokerURL string) api.Options {
	pages, err := dashboards.Pages()
	if err != nil {
		h.log.Error("pages", "error", err)
	}
	return api.Options{
		Live: live, Series: seriesOf{series}, Diagnoses: seriesOf{series}, Installations: h.installationsOf, Pages: pages, Now: time.Now, Log: h.log, Closing: h.closing,
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
