package server

// What Prometheus may ask. Labels are closed sets (routes, statuses, outcomes): nothing a caller
// sends becomes a label.

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"latchkey/internal/auth"
)

// Metrics counts what happens. One is shared by both listeners and by auth.Options.OnRefresh.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	refreshes *prometheus.CounterVec
}

// NewMetrics returns metrics that have counted nothing.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latchkey_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_refreshes_total", Help: "Refresh tokens presented, by what became of them.",
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.requests, m.durations, m.refreshes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return m
}

// OnRefresh counts one refresh; it is what auth.Options.OnRefresh wants.
func (m *Metrics) OnRefresh(outcome string) { m.refreshes.WithLabelValues(outcome).Inc() }

func (m *Metrics) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

// Build says which program this is, as the go command stamped it: the tag or commit it was built from,
// and the whole commit where that is known.
func Build() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)", ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = setting.Value
		}
	}
	return cmp.Or(info.Main.Version, "(devel)"), revision
}

// buildInfo tells Build as a gauge that is always 1.
func buildInfo() prometheus.Collector {
	version, revision := Build()
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "latchkey_build_info", Help: "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

// gauges asks the service for what is true now, at each scrape.
type gauges struct {
	service *auth.Service

	up, hashRunning, hashWaiting, hashShed, outboxDepth, outboxAge *prometheus.Desc
}

func newGauges(service *auth.Service) *gauges {
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &gauges{
		service:     service,
		up:          describe("latchkey_database_up", "1 when the database answered this scrape, else 0."),
		hashRunning: describe("latchkey_password_hashes_running", "Password hashes being computed now."),
		hashWaiting: describe("latchkey_password_hashes_waiting", "Requests waiting for a permit to hash."),
		hashShed:    describe("latchkey_password_hashes_shed_total", "Requests turned away because too many waited for a permit."),
		outboxDepth: describe("latchkey_outbox_mails", "Mails that wait to be sent."),
		outboxAge:   describe("latchkey_outbox_oldest_seconds", "Age of the mail that has waited longest; 0 when none waits."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{g.up, g.hashRunning, g.hashWaiting, g.hashShed, g.outboxDepth, g.outboxAge} {
		out <- d
	}
}

// scrapeTimeout bounds a scrape of a database that hangs.
const scrapeTimeout = 3 * time.Second

// Collect implements prometheus.Collector. What is not known is left out rather than called 0.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	hashing := g.service.HashLoad()
	gauge(g.hashRunning, float64(hashing.Running))
	gauge(g.hashWaiting, float64(hashing.Waiting))
	out <- prometheus.MustNewConstMetric(g.hashShed, prometheus.CounterValue, float64(hashing.Shed))

	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	stats, err := g.service.Stats(ctx)
	if err != nil {
		gauge(g.up, 0)
		return
	}
	gauge(g.up, 1)
	gauge(g.outboxDepth, float64(stats.OutboxDepth))
	gauge(g.outboxAge, stats.OutboxOldestAge.Seconds())
}
