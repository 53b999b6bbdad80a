// Package telemetry has the gateway's Prometheus metrics and OpenTelemetry traces. Nothing in it names a token, a session or
// a value; labels come from fixed sets.
package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics has the gateway's metrics. It implements the Observer of every package.
type Metrics struct {
	registry         *prometheus.Registry
	requests         *prometheus.CounterVec
	latency          *prometheus.HistogramVec
	created          *prometheus.CounterVec
	checked          *prometheus.CounterVec
	presigned        *prometheus.CounterVec
	swept            *prometheus.CounterVec
	credentials      *prometheus.CounterVec
	signIns          *prometheus.CounterVec
	ended            *prometheus.CounterVec
	endedCredentials *prometheus.CounterVec
	logouts          *prometheus.CounterVec
	limited          *prometheus.CounterVec
	endedSessions    prometheus.Gauge
	subscriptions    prometheus.Gauge
	spaceFree        *prometheus.GaugeVec
	spaceRefusing    *prometheus.GaugeVec
	objectsRefused   *prometheus.CounterVec
	connectionsShed  *prometheus.CounterVec
	connections      *prometheus.GaugeVec
}

// NewMetrics returns metrics in a registry of their own.
func NewMetrics(version string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "cloakroom", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "cloakroom", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("requests_total", "GraphQL requests by root field and first error code.", "field", "code"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "cloakroom", Name: "request_duration_seconds", Help: "Time from request to answer, by root field.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"field"}),
		created:     counter("grants_created_total", "Grants created or extended, by kind.", "kind"),
		checked:     counter("grants_checked_total", "Grants checked, by kind and result (held, missing).", "kind", "result"),
		presigned:   counter("presigned_total", "Storage requests signed, by HTTP method.", "method"),
		swept:       counter("swept_total", "Expired rows removed, by table.", "table"),
		credentials: counter("credentials_total", "Bearer tokens and cookies, by outcome (remembered, verified, cookie, refused).", "outcome"),
		signIns: counter("sign_ins_total",
			"Sign-ins by the redirect flow, by outcome (started, completed, ended, or the reason of a refusal).", "outcome"),
		ended: counter("sessions_ended_total", "Sessions, sign-ins and subjects ended here, by reason (application, back_channel, sign_out).", "reason"),
		endedCredentials: counter("ended_credentials_total",
			"Verified credentials refused, by what has ended (session, login, subject, or unknown while that can't be read).", "by"),
		logouts: counter("logout_tokens_total", "Logout tokens of identity providers, by outcome (accepted, refused, failed, limited).", "outcome"),
		limited: counter("rate_limited_total",
			"Refusals by rate: of what, by whose bucket (session, tenant, address), and the tenant, if one is known.", "thing", "by", "tenant"),
		endedSessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "cloakroom", Name: "ended_sessions", Help: "Ended sessions, sign-ins and subjects in memory.",
		}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "cloakroom", Name: "subscriptions", Help: "Open subscriptions."}),
		spaceFree:     gauge("space_free_bytes", "Free bytes of a disk (database, objects).", "disk"),
		spaceRefusing: gauge("space_refusing",
			"1 while these are refused because a disk is full: values (tokenize, uploads), rows (grants and sign-ins too).", "what"),
		objectsRefused: counter("objects_refused_total",
			"Requests that the embedded store refused, and transfers that it cut, by reason (slow, share, busy, full, signature, …).", "reason"),
		connectionsShed: counter("connections_shed_total", "Connections closed to make room for others, by listener and bound (total, address, network, share).", "listener", "bound"),
		connections:     gauge("connections", "Open connections, by listener.", "listener"),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "build_info", Help: "1, labelled with the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.latency, m.created, m.checked, m.presigned, m.swept, m.credentials,
		m.signIns, m.ended, m.endedCredentials, m.logouts, m.limited, m.endedSessions, m.subscriptions, m.spaceFree, m.spaceRefusing, m.objectsRefused, m.connectionsShed, m.connections, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second})
}

// Request implements httpd.Observer.
func (m *Metrics) Request(field, code string, took time.Duration) {
	m.requests.WithLabelValues(field, code).Inc()
	m.latency.WithLabelValues(field).Observe(took.Seconds())
}

// Credential implements credential.Observer.
func (m *Metrics) Credential(outcome string) { m.credentials.WithLabelValues(outcome).Inc() }

// SignIn implements signin.Observer.
func (m *Metrics) SignIn(outcome string) { m.signIns.WithLabelValues(outcome).Inc() }

// GrantsCreated implements vault.Observer.
func (m *Metrics) GrantsCreated(kind string, n int) { m.created.WithLabelValues(kind).Add(float64(n)) }

// GrantsChecked implements vault.Observer.
func (m *Metrics) GrantsChecked(kind string, held, missing int) {
	m.checked.WithLabelValues(kind, "held").Add(float64(held))
	m.checked.WithLabelValues(kind, "missing").Add(float64(missing))
}

// Presigned implements vault.Observer.
func (m *Metrics) Presigned(method string, n int) {
	m.presigned.WithLabelValues(method).Add(float64(n))
}

// Swept implements vault.Observer.
func (m *Metrics) Swept(table string, n int) { m.swept.WithLabelValues(table).Add(float64(n)) }

// Ended implements revocation.Observer.
func (m *Metrics) Ended(reason string) { m.ended.WithLabelValues(reason).Inc() }

// EndedRefused implements revocation.Observer.
func (m *Metrics) EndedRefused(by string) { m.endedCredentials.WithLabelValues(by).Inc() }

// EndedKept implements revocation.Observer.
func (m *Metrics) EndedKept(n int) { m.endedSessions.Set(float64(n)) }

// Watching implements revocation.Observer.
func (m *Metrics) Watching(change int) { m.subscriptions.Add(float64(change)) }

// Logout implements logout.Observer.
func (m *Metrics) Logout(outcome string) { m.logouts.WithLabelValues(outcome).Inc() }

// RateLimited implements limit.Observer.
func (m *Metrics) RateLimited(thing, by, tenant string) {
	m.limited.WithLabelValues(thing, by, tenant).Inc()
}

// SpaceFree implements space.Observer.
func (m *Metrics) SpaceFree(disk string, bytes int64) {
	m.spaceFree.WithLabelValues(disk).Set(float64(bytes))
}

// SpaceRefusing records whether values, or rows, are refused because a disk is full.
func (m *Metrics) SpaceRefusing(what string, refusing bool) {
	n := 0.0
	if refusing {
		n = 1
	}
	m.spaceRefusing.WithLabelValues(what).Set(n)
}

// ObjectRefused implements embedded.Observer.
func (m *Metrics) ObjectRefused(reason string) { m.objectsRefused.WithLabelValues(reason).Inc() }

// Connections implements netlimit.Observer.
func (m *Metrics) Connections(listener string, open int) {
	m.connections.WithLabelValues(listener).Set(float64(open))
}

// Shed implements netlimit.Observer.
func (m *Metrics) Shed(listener, bound string) {
	m.connectionsShed.WithLabelValues(listener, bound).Inc()
}
