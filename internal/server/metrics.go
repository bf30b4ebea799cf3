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
	"latchkey/internal/logouts"
	"latchkey/internal/outbox"
)

// Metrics counts what happens. One is shared by both listeners and by auth.Options.OnRefresh and its like.
type Metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	refreshes   *prometheus.CounterVec
	signIns     *prometheus.CounterVec
	mails       *prometheus.CounterVec
	logouts     *prometheus.CounterVec
	certificate *prometheus.GaugeVec // of no labels: there is none where TLS is not ours
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
		refreshes: counterOf("latchkey_refreshes_total", "Refresh tokens presented, by what became of them.", auth.RefreshOutcomes()),
		signIns:   counterOf("latchkey_sign_ins_total", "Tries to sign in, by what became of them.", auth.SignInOutcomes()),
		mails:     counterOf("latchkey_mails_total", "Tries to deliver a mail, by what became of them.", outbox.Outcomes()),
		logouts:   counterOf("latchkey_logouts_total", "Tries to tell an app that a session has ended, by what became of them.", logouts.Outcomes()),
		certificate: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "latchkey_tls_certificate_expiry_timestamp_seconds", Help: "When the TLS certificate in use runs out, as Unix time.",
		}, nil),
	}
	m.registry.MustRegister(m.requests, m.durations, m.refreshes, m.signIns, m.mails, m.logouts, m.certificate,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return m
}

// counterOf counts by outcome. Every outcome has its series from the start: increase() does not see an event
// that comes with its series.
func counterOf(name, help string, outcomes []string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"outcome"})
	for _, outcome := range outcomes {
		c.WithLabelValues(outcome)
	}
	return c
}

// watched are the statuses that alerts are made of; a route has their series from the start.
var watched = [...]int{429, 500, 503}

// expect makes the series of a route.
func (m *Metrics) expect(route string) {
	for _, status := range watched {
		m.requests.WithLabelValues(route, strconv.Itoa(status))
	}
}

// OnRefresh counts one refresh; it is what auth.Options.OnRefresh wants.
func (m *Metrics) OnRefresh(outcome string) { m.refreshes.WithLabelValues(outcome).Inc() }

// OnSignIn counts one sign-in; it is what auth.Options.OnSignIn wants.
func (m *Metrics) OnSignIn(outcome string) { m.signIns.WithLabelValues(outcome).Inc() }

// OnMail counts one try to deliver; it is what auth.Options.OnMail wants.
func (m *Metrics) OnMail(outcome string) { m.mails.WithLabelValues(outcome).Inc() }

// OnLogout counts one try to tell an app; it is what auth.Options.OnLogout wants.
func (m *Metrics) OnLogout(outcome string) { m.logouts.WithLabelValues(outcome).Inc() }

// OnCertificate notes when the certificate in use runs out; it is what NewCertificate wants.
func (m *Metrics) OnCertificate(notAfter time.Time) {
	m.certificate.WithLabelValues().Set(float64(notAfter.Unix()))
}

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

	up, hashRunning, hashWaiting, hashShed, outboxDepth, outboxAge        *prometheus.Desc
	connections, connectionsMax, keyAge, sessions, logoutDepth, logoutAge *prometheus.Desc
}

func newGauges(service *auth.Service) *gauges {
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &gauges{
		service:        service,
		up:             describe("latchkey_database_up", "1 when the database answered this scrape and takes writes, else 0."),
		hashRunning:    describe("latchkey_password_hashes_running", "Password hashes being computed now."),
		hashWaiting:    describe("latchkey_password_hashes_waiting", "Requests waiting for a permit to hash."),
		hashShed:       describe("latchkey_password_hashes_shed_total", "Requests turned away because too many waited for a permit."),
		outboxDepth:    describe("latchkey_outbox_mails", "Mails that wait to be sent."),
		logoutDepth:    describe("latchkey_logouts_waiting", "Ended sessions that an app is still to be told of."),
		logoutAge:      describe("latchkey_logouts_oldest_seconds", "Age of the end that an app has waited longest to be told of; 0 when none waits."),
		connections:    describe("latchkey_database_connections_in_use", "Connections to the database in use; of SQLite those that read."),
		connectionsMax: describe("latchkey_database_connections_max", "How many of them there may be."),
		keyAge:         describe("latchkey_signing_key_age_seconds", "For how long the active signing key has signed."),
		sessions:       describe("latchkey_sessions_live", "Live sessions, counted every five minutes."),
		outboxAge:      describe("latchkey_outbox_oldest_seconds", "Age of the mail that has waited longest; 0 when none waits."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{
		g.up, g.hashRunning, g.hashWaiting, g.hashShed, g.outboxDepth, g.outboxAge, g.connections, g.connectionsMax, g.keyAge, g.sessions,
		g.logoutDepth, g.logoutAge,
	} {
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

	inUse, most := g.service.DatabaseLoad()
	gauge(g.connections, float64(inUse))
	gauge(g.connectionsMax, float64(most))
	if age, ok := g.service.Keys().ActiveAge(); ok {
		gauge(g.keyAge, age.Seconds())
	}

	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	waiting, oldest, err := g.service.Outbox().Waiting(ctx)
	if err != nil {
		gauge(g.up, 0)
		return
	}
	untold, since, err := g.service.Logouts().Waiting(ctx)
	if err != nil {
		gauge(g.up, 0)
		return
	}
	up := 1.0
	if g.service.Node().Writing(ctx) != nil {
		up = 0
	}
	gauge(g.up, up)
	gauge(g.outboxDepth, float64(waiting))
	gauge(g.outboxAge, oldest.Seconds())
	gauge(g.logoutDepth, float64(untold))
	gauge(g.logoutAge, since.Seconds())
	if live := g.service.Upkeep().LiveSessions(); live >= 0 {
		gauge(g.sessions, float64(live))
	}
}
