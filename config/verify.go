package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// problems are the errors of the settings, each with the setting's name and the remedy.
type problems []error

func (p *problems) add(setting, format string, args ...any) {
	*p = append(*p, fmt.Errorf("config: %s: %s", setting, fmt.Sprintf(format, args...)))
}

// Verify returns all problems of the settings as joined errors, or nil if a gateway can run with them safely. Each error names
// a setting and the remedy, and quotes no secret; the errors have no sentinels.
func (c *Config) Verify() error {
	var p problems
	c.verifyHTTP(&p)
	c.verifyGraphQL(&p)
	c.verifyIssuers(&p)
	c.verifySignIn(&p)
	c.verifyDetokenize(&p)
	c.verifyCredentials(&p)
	c.verifyTrustedProxy(&p)
	c.verifyRates(&p)
	c.verifyTokens(&p)
	c.verifyObjects(&p)
	c.verifyRest(&p)
	return errors.Join(p...)
}

func (c *Config) verifyHTTP(p *problems) {
	h := &c.HTTP
	c.baseURL(p, "http.public_url", h.PublicURL)
	address(p, "http.listen", h.Listen)
	for _, o := range h.AllowedOrigins {
		c.verifyAllowedOrigin(p, o)
	}
	c.verifyAllowedHeaders(p)
	between(p, "http.max_body", h.MaxBody, 1<<10, 4<<20)
	between(p, "http.max_application_body", h.MaxApplicationBody, 1<<10, 16<<20)
	between(p, "http.max_connections", h.MaxConnections, 1, 1_000_000)
	between(p, "http.max_connections_per_address", h.MaxPerAddress, 1, 1_000_000)
	between(p, "http.write_timeout", h.WriteTimeout, time.Second, 10*time.Minute)
	between(p, "http.read_timeout", h.ReadTimeout, time.Second, 10*time.Minute)
	between(p, "http.request_timeout", h.RequestTimeout, time.Second, 10*time.Minute)
	between(p, "http.idle_timeout", h.IdleTimeout, time.Second, time.Hour)
	between(p, "http.shutdown_timeout", h.ShutdownTimeout, 0, 10*time.Minute)
	h.verifyHops(p)
	h.TLS.verify(p, h.PublicURL)
}

// verifyAllowedOrigin refuses pages that anybody on the network could change: they would act with users' credentials.
func (c *Config) verifyAllowedOrigin(p *problems, origin string) {
	u, err := url.Parse(origin)
	switch {
	case err != nil || !canonicalOrigin(origin):
		p.add("http.allowed_origins", "%q is not an origin in browsers' spelling; write https://host[:port] in lower case, "+
			"without a path, a pattern or the scheme's own port", origin)
	case u.Scheme == "http" && (!clientaddr.Loopback(u.Hostname()) || !c.Development && !loopbackURL(c.HTTP.PublicURL)):
		p.add("http.allowed_origins", "%q is sent to browsers in clear; use https (http is for loopback, in development or if http.public_url is "+
			"on loopback too)", origin)
	}
}

func (t *TLS) verify(p *problems, publicURL string) {
	switch {
	case (t.CertFile == "") != (t.KeyFile == ""):
		p.add("http.tls.key_file", "set it and http.tls.cert_file both, or neither")
	case t.CertFile == "" && t.ClientCAFile != "":
		p.add("http.tls.client_ca_file", "without TLS no client sends a certificate; set http.tls.cert_file and http.tls.key_file")
	case t.CertFile != "" && !strings.HasPrefix(publicURL, "https://"):
		p.add("http.public_url", "%q, but the gateway serves TLS; write https", publicURL)
	}
}

func (c *Config) verifyGraphQL(p *problems) {
	g := &c.GraphQL
	between(p, "graphql.max_tokens", g.MaxTokens, 100, 20_000)
	between(p, "graphql.max_depth", g.MaxDepth, 5, 200)
	between(p, "graphql.max_aliases", g.MaxAliases, 0, 10_000)
	between(p, "graphql.max_directives", g.MaxDirectives, 0, 10_000)
	between(p, "graphql.max_selections", g.MaxSelections, 100, 2000)
	between(p, "graphql.max_complexity", g.MaxComplexity, 50, 1_000_000)
	between(p, "graphql.document_cache", g.DocumentCache, 0, 1<<30)
	between(p, "graphql.persisted_cache", g.PersistedCache, 0, 1<<30)
	if g.AllowList != "" {
		if info, err := os.Stat(g.AllowList); err != nil || !info.IsDir() {
			p.add("graphql.allow_list", "%q is not a folder; name one that has *.graphql files, or manifests", g.AllowList)
		}
	}
}

func (c *Config) verifyTokens(p *problems) {
	prefix := func(setting, s string) {
		if !ids.ValidPrefix(s) {
			p.add(setting, "%q must be a lower-case letter, then up to 15 of a-z, 0-9 and _", s)
		}
	}
	prefix("tokens.prefix", c.Tokens.Prefix)
	for _, accepted := range c.Tokens.AcceptedPrefixes {
		prefix("tokens.accepted_prefixes", accepted)
	}
	between(p, "tokens.max_batch", c.Tokens.MaxBatch, 1, 10_000)
	between(p, "tokens.max_ttl", c.Tokens.MaxTTL, time.Second, 200*365*24*time.Hour)
	between(p, "tokens.sweep_interval", c.Tokens.SweepInterval, time.Second, 24*time.Hour)
	between(p, "grants.max_batch", c.Grants.MaxBatch, 1, 10_000)
	between(p, "grants.max_duration", c.Grants.MaxDuration, time.Second, 30*24*time.Hour)
	between(p, "grants.default_duration", c.Grants.DefaultDuration, time.Second, max(c.Grants.MaxDuration, time.Second))
	if c.Database.Path == "" {
		p.add("database.path", "empty; name the SQLite file, such as /var/lib/cloakroom/cloakroom.db")
	}
	if r := c.Database.Reserve; r != 0 {
		between(p, "database.reserve", r, 4<<20, 1<<40)
	}
	between(p, "space.min_free", c.Space.MinFree, 0, 1<<50)
	if c.Keys.File == "" {
		p.add("keys.file", "empty; name the keyset's file, and make it once with `cloakroom keys create`")
	}
}

func (c *Config) verifyObjects(p *problems) {
	o := &c.Objects
	if !slices.Contains([]string{EncryptionSSEC, EncryptionClient}, o.Encryption) {
		p.add("objects.encryption", "%q is neither sse-c nor client", o.Encryption)
	}
	between(p, "objects.max_size", o.MaxSize, 1, 5<<30)
	between(p, "objects.max_unsized_size", o.MaxUnsizedSize, 1, 5<<30)
	between(p, "objects.max_multipart_size", o.MaxMultipartSize, 1, 5<<40)
	between(p, "objects.multipart_lifetime", o.MultipartLifetime, time.Minute, 7*24*time.Hour)
	between(p, "objects.max_session_uploads", o.MaxSessionUploads, 1, 1000)
	between(p, "objects.max_tenant_uploads", o.MaxTenantUploads, o.MaxSessionUploads, 1_000_000)
	between(p, "objects.upload_lifetime", o.UploadLifetime, time.Second, 7*24*time.Hour)
	between(p, "objects.download_lifetime", o.DownloadLifetime, time.Second, time.Hour)
	switch o.Store {
	case "embedded":
		if o.Embedded.Dir == "" {
			p.add("objects.embedded.dir", "empty; name the folder that keeps the values")
		}
		address(p, "objects.embedded.listen", o.Embedded.Listen)
		c.baseURL(p, "objects.embedded.public_url", o.Embedded.PublicURL)
		if o.Embedded.PublicURL == c.HTTP.PublicURL {
			p.add("objects.embedded.public_url", "the gateway's own; values need a separate origin")
		}
		o.Embedded.verifyBounds(p, o.MaxSize)
	case "s3":
		if o.S3.Bucket == "" {
			p.add("objects.s3.bucket", "empty; name the bucket that keeps the values")
		}
		if o.S3.Endpoint == "" && o.S3.Region == "" {
			p.add("objects.s3.region", "empty; name the bucket's region, or an endpoint")
		}
		for setting, u := range map[string]string{"endpoint": o.S3.Endpoint, "public_endpoint": o.S3.PublicEndpoint} {
			if u != "" {
				c.secureURL(p, "objects.s3."+setting, u)
			}
		}
		if (o.S3.AccessKeyID == "") != (o.S3.SecretAccessKey == "") {
			p.add("objects.s3.secret_access_key", "set it and access_key_id both, or neither")
		}
		between(p, "objects.s3.timeout", o.S3.Timeout, 100*time.Millisecond, time.Minute)
	default:
		p.add("objects.store", "%q is neither embedded nor s3", o.Store)
	}
}

func (e *Embedded) verifyBounds(p *problems, maxSize int64) {
	between(p, "objects.embedded.min_rate", e.MinRate, 1, 1<<30)
	between(p, "objects.embedded.grace", e.Grace, time.Second, 10*time.Minute)
	between(p, "objects.embedded.max_transfers", e.MaxTransfers, 1, 100_000)
	between(p, "objects.embedded.max_session_transfers", e.MaxSessionTransfers, 1, max(e.MaxTransfers, 1))
	if e.MaxSessionBytes != 0 && e.MaxSessionBytes < maxSize {
		p.add("objects.embedded.max_session_bytes", "%d is less than the size that one value may have; write objects.max_size (%d) or more, or 0 for twice that",
			e.MaxSessionBytes, maxSize)
	}
}

func (c *Config) verifyRest(p *problems) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		p.add("log.level", "%q is not one of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		p.add("log.format", "%q is neither json nor text", c.Log.Format)
	}
	if l := c.Metrics.Listen; l != "" && l != MetricsOnGateway && l != MetricsOff {
		address(p, "metrics.listen", l)
	}
	if c.Tracing.Endpoint != "" {
		c.secureURL(p, "tracing.endpoint", c.Tracing.Endpoint)
	}
	if c.Tracing.Ratio < 0 || c.Tracing.Ratio > 1 {
		p.add("tracing.ratio", "%v is not between 0 and 1", c.Tracing.Ratio)
	}
	if c.Playground.Enabled {
		if !c.Development {
			p.add("playground.enabled", "the playground is for development only; switch it off, or set development")
		}
		c.secureURL(p, "playground.session_url", c.Playground.SessionURL)
	}
	if c.Development && !loopbackAddress(c.HTTP.Listen) {
		p.add("development", "listens on %q; development listens on loopback only, such as 127.0.0.1:8080", c.HTTP.Listen)
	}
}

// baseURL requires an origin in browsers' spelling, without a path or a trailing slash.
func (c *Config) baseURL(p *problems, setting, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != s {
		p.add(setting, "%q is not a base URL; write https://host[:port], without a path", s)
		return
	}
	c.secureURL(p, setting, s)
}

// isOrigin reports whether s is spelt as browsers spell an Origin (WHATWG URL). Origins are compared as exact
// strings, so another spelling would never match.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme+"://"+u.Host != s || s != strings.ToLower(s) || strings.Contains(s, "*") {
		return false
	}
	return u.Scheme == "https" && u.Port() != "443" || u.Scheme == "http" && u.Port() != "80"
}

// secureURL requires TLS, except on loopback.
func (c *Config) secureURL(p *problems, setting, s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		p.add(setting, "not an absolute URL without a user; write https://host/path")
	case u.Scheme == "http" && !clientaddr.Loopback(u.Hostname()):
		p.add(setting, "%q sends secrets in clear; use https", s)
	}
}

func address(p *problems, setting, s string) {
	if _, _, err := net.SplitHostPort(s); err != nil {
		p.add(setting, "%q is not an address; write host:port", s)
	}
}

func between[T int | int64 | time.Duration](p *problems, setting string, v, low, high T) {
	if v < low || v > high {
		p.add(setting, "%v is not between %v and %v", v, low, high)
	}
}

func loopbackAddress(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	return err == nil && clientaddr.Loopback(host)
}

func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && clientaddr.Loopback(u.Hostname())
}
