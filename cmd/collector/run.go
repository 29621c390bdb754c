package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	_ "time/tzdata" // a box without the system's table of time zones knows the city's all the same

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"citygrid/collector"
	"citygrid/collector/config"
	"citygrid/collector/spool"
	"citygrid/internal/cli"
	"citygrid/internal/durable"
	"citygrid/internal/mqttlink"
	"citygrid/schemas/seal"
)

func newRun() *cobra.Command {
	var path, summary string
	var drain time.Duration
	cmd := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Read and publish until told to stop (Ctrl-C or SIGTERM)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := assemble(path)
			if err != nil {
				return err
			}
			c.options.Drain = drain
			for _, w := range c.config.Warnings() {
				c.options.Log.Warn("configuration", "warning", w)
			}
			if ends := mqttlink.OwnEnds(c.options.Broker.TLS); !ends.IsZero() && time.Until(ends) < soonEnds {
				c.options.Log.Warn("this collector's certificate ends soon: have it renewed at the centre (citygrid certs renew)", "ends", ends.UTC().Format(time.DateOnly))
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), summary)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&summary, "summary", "", "write the counters of this run to `FILE` as JSON at the end")
	cmd.Flags().DurationVar(&drain, "drain", 5*time.Second, "how long to go on publishing after being told to stop")
	return cmd
}

// soonEnds is how long before its end a certificate is told about.
const soonEnds = 30 * 24 * time.Hour

// program is a configured collector that has not been started.
type program struct {
	config   *config.Config
	options  collector.Options
	registry *prometheus.Registry
	metrics  string // address of /metrics, or empty
}

// loadLines reads the configuration and the profiles: all that reading needs.
// It opens no socket.
func loadLines(path string) (*config.Config, []collector.Line, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, nil, err
	}
	lines, err := cfg.BuildLines()
	if err != nil {
		return nil, nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	return cfg, lines, nil
}

// assemble reads the configuration, the bundle and the profiles. It opens no
// socket.
func assemble(path string) (*program, error) {
	cfg, lines, err := loadLines(path)
	if err != nil {
		return nil, err
	}
	bundle, err := seal.ReadBundle(cfg.Path(cfg.Bundle))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: bundle (citygrid keys issue makes it at the centre): %w", path, err)
	}
	if bundle.Collector != cfg.Collector {
		return nil, fmt.Errorf("configuration %s is of collector %s, but the bundle %s is of %s: one of the two is in the wrong box",
			path, cfg.Collector, cfg.Path(cfg.Bundle), bundle.Collector)
	}
	provider, err := seal.ProviderByName(cfg.Provider)
	if err != nil {
		return nil, err
	}
	broker := mqttlink.Config{URL: cfg.Broker.URL}
	if cfg.Broker != (config.Broker{URL: cfg.Broker.URL}) { // any file of TLS
		if broker.TLS, err = mqttlink.LoadTLS(cfg.Path(cfg.Broker.CA), cfg.Path(cfg.Broker.Cert), cfg.Path(cfg.Broker.Key)); err != nil {
			return nil, fmt.Errorf("configuration %s: broker.ca, broker.cert, broker.key: %w", path, err)
		}
		if err := mqttlink.CheckOwn(broker.TLS, string(cfg.Collector)); err != nil {
			return nil, fmt.Errorf("configuration %s: broker.cert: %w", path, err)
		}
	}
	events, err := cfg.EventSource()
	if err != nil {
		return nil, fmt.Errorf("configuration %s: events: %w", path, err)
	}
	readings := spoolOptions(cfg.Spool.Quota, cfg.Spool.CommitEvery)
	readings.DropWhenFull = cfg.Spool.WhenFull == config.DropOldest
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &program{
		config: cfg, registry: registry, metrics: cfg.Metrics,
		options: collector.Options{
			Bundle: &bundle, Provider: provider, DataDir: cfg.Path(cfg.DataDir), Lines: lines, Broker: broker,
			Batch: collector.BatchLimits{MaxReadings: cfg.Batch.MaxReadings, MaxAge: time.Duration(cfg.Batch.MaxAge)},
			Spool: readings, DropAfter: time.Duration(cfg.Spool.DropAfter), CardSpool: spoolOptions(cfg.Spool.CardsQuota, cardCommit),
			EventSpool: spoolOptions(cfg.Spool.EventsQuota, cfg.Spool.CommitEvery), Events: events,
			Registry: registry, Log: cli.NewLog(), Version: version, Random: rand.Reader,
		},
	}, nil
}

// cardCommit is how long card entries wait for company before they are made
// durable: somebody stands at the counter.
const cardCommit = config.Duration(10 * time.Millisecond)

// spoolOptions chooses segments that are small beside the quota: space comes
// back a segment at a time.
func spoolOptions(quota config.Size, commitEvery config.Duration) spool.Options {
	segment := min(int64(quota)/16, 8<<20)
	return spool.Options{Quota: int64(quota), SegmentBytes: segment, CommitEvery: time.Duration(commitEvery)}
}

// memoryGoal is what the runtime may take before it works harder to take less; a
// box in a cabinet has little. Below it, garbage may grow to several times of what
// lives, which is little too.
const (
	memoryGoal = 28 << 20
	garbage    = 500 // per cent
)

// beFrugal sets the runtime up for a small box, unless the environment says
// otherwise. A collector mostly waits for its lines: a second processor costs more
// in waking it than it gives (1.3 against 0.9 us for a value on an idle machine).
func beFrugal() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// run opens the collector and runs it until ctx is done. Its first line on out
// is JSON, for the program that started it.
func (p *program) run(ctx context.Context, out io.Writer, summaryPath string) (err error) {
	beFrugal()
	c, err := collector.Open(p.options)
	if err != nil {
		return cli.Failed(err)
	}
	defer func() {
		if e := c.Close(); e != nil {
			err = errors.Join(err, cli.Failed(e))
		}
	}()
	address, stop, err := p.serveMetrics(c)
	if err != nil {
		return err
	}
	defer stop()
	if err := json.NewEncoder(out).Encode(map[string]string{"ready": "collector", "metrics": address}); err != nil {
		return cli.Failed(err)
	}
	stopCounters := p.serveCounters(ctx, c.TakeCards)
	runErr := c.Run(ctx)
	stopCounters()
	if err := writeSummary(summaryPath, c.Summary()); err != nil {
		return cli.Failed(errors.Join(runErr, err))
	}
	if runErr != nil {
		return cli.Failed(runErr)
	}
	return nil
}

func writeSummary(path string, s collector.Summary) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'), 0o644)
}

// serveMetrics serves /metrics, /summary, /healthz and /readyz when an address is
// configured.
func (p *program) serveMetrics(c *collector.Collector) (address string, stop func(), err error) {
	if p.metrics == "" {
		return "", func() {}, nil
	}
	listener, err := net.Listen("tcp", p.metrics)
	if err != nil {
		return "", nil, cli.Failed(fmt.Errorf("serve metrics (metrics: %s in the configuration): %w", p.metrics, err))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if problems := c.Problems(); len(problems) > 0 {
			http.Error(w, strings.Join(problems, "\n"), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /summary", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.Summary()) // the client is gone, or has it
	})
	// A few programs ask here; whoever holds a connection open without asking loses it.
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 8 << 10}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	return listener.Addr().String(), func() { _ = server.Close(); <-served }, nil
}
