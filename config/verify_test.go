package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestVerify breaks each rule with one change to valid settings; the message names the setting.
func TestVerify(t *testing.T) {
	embedded := func(c *Config) {
		c.Objects.Store = "embedded"
		e := &c.Objects.Embedded
		e.Dir, e.Listen, e.PublicURL = "d", "127.0.0.1:8081", "https://values.example"
	}
	also := func(first, then func(*Config)) func(*Config) { return func(c *Config) { first(c); then(c) } }
	origin := func(o string) func(*Config) { return func(c *Config) { c.HTTP.AllowedOrigins = []string{o} } }
	header := func(name string) func(*Config) { return func(c *Config) { c.HTTP.AllowedHeaders = []string{name} } }
	for _, test := range []struct {
		setting string
		change  func(*Config)
	}{
		{"http.public_url", func(c *Config) { c.HTTP.PublicURL = "https://gateway.example/" }},
		{"http.public_url", func(c *Config) { c.HTTP.PublicURL = "http://gateway.example" }},
		{"http.public_url", func(c *Config) { c.HTTP.PublicURL = "gateway.example" }},
		{"http.listen", func(c *Config) { c.HTTP.Listen = "8080" }},
		{"http.allowed_origins", origin("*")}, {"http.allowed_origins", origin("null")}, {"http.allowed_origins", origin("https://a.example/")},
		{"http.allowed_origins", origin("a.example")}, {"http.allowed_origins", origin("https://*.example")}, {"http.allowed_origins", origin("https://A.example")},
		{"http.allowed_origins", origin("https://u@a.example")}, {"http.allowed_origins", origin("https://a.example:443")}, {"http.allowed_origins", origin("http://a.example:80")},
		{"http.allowed_origins", origin("ftp://a.example")},
		{"http.allowed_origins", origin("http://a.example")}, {"http.allowed_origins", origin("http://localhost:3000")},
		{"http.allowed_origins", func(c *Config) { origin("http://a.example")(c); c.Development, c.HTTP.Listen = true, "127.0.0.1:8080" }},
		{"http.allowed_origins", origin("https://a.example;script-src")}, {"http.allowed_origins", origin("https://a.example,b")},
		{"http.allowed_origins", origin("https://a'b.example")}, {"http.allowed_origins", origin("https://[::1;]")}, {"http.allowed_origins", origin("https://a.example:")},
		{"http.allowed_headers", header("*")}, {"http.allowed_headers", header("")}, {"http.allowed_headers", header("a b")}, {"http.allowed_headers", header("a:b")}, {"http.allowed_headers", header("ä")},
		{"http.allowed_headers", header(strings.Repeat("a", 65))}, {"http.allowed_headers", header("Cookie")}, {"http.allowed_headers", header("ORIGIN")}, {"http.allowed_headers", header("Sec-Fetch-Site")},
		{"http.allowed_headers", header("Proxy-Authorization")}, {"http.allowed_headers", header("X-Forwarded-For")}, {"http.allowed_headers", header("Forwarded")}, {"http.allowed_headers", header("x-amz-acl")},
		{"http.allowed_headers", header("If-Match")}, {"http.allowed_headers", header("Range")}, {"http.allowed_headers", header("X-HTTP-Method-Override")}, {"http.allowed_headers", header("a\r\nb")},
		{"http.allowed_headers", func(c *Config) { header("x-user-jwt")(c); c.Credentials.Header = "X-User-JWT" }},
		{"http.max_body", func(c *Config) { c.HTTP.MaxBody = 0 }}, {"http.max_body", func(c *Config) { c.HTTP.MaxBody = 65 << 20 }},
		{"http.max_connections", func(c *Config) { c.HTTP.MaxConnections = 0 }},
		{"http.max_connections_per_address", func(c *Config) { c.HTTP.MaxPerAddress = 0 }}, {"http.write_timeout", func(c *Config) { c.HTTP.WriteTimeout = 0 }},
		{"database.reserve", func(c *Config) { c.Database.Reserve = 1 << 20 }}, {"space.min_free", func(c *Config) { c.Space.MinFree = -1 }},
		{"http.read_timeout", func(c *Config) { c.HTTP.ReadTimeout = 0 }}, {"http.request_timeout", func(c *Config) { c.HTTP.RequestTimeout = time.Hour }},
		{"http.idle_timeout", func(c *Config) { c.HTTP.IdleTimeout = -1 }}, {"http.shutdown_timeout", func(c *Config) { c.HTTP.ShutdownTimeout = -1 }},
		{"graphql.max_tokens", func(c *Config) { c.GraphQL.MaxTokens = 0 }}, {"graphql.max_depth", func(c *Config) { c.GraphQL.MaxDepth = 0 }},
		{"graphql.max_aliases", func(c *Config) { c.GraphQL.MaxAliases = -1 }}, {"graphql.max_directives", func(c *Config) { c.GraphQL.MaxDirectives = -1 }},
		{"graphql.max_complexity", func(c *Config) { c.GraphQL.MaxComplexity = 0 }}, {"graphql.document_cache", func(c *Config) { c.GraphQL.DocumentCache = -1 }},
		{"graphql.persisted_cache", func(c *Config) { c.GraphQL.PersistedCache = 2 << 30 }}, {"graphql.allow_list", func(c *Config) { c.GraphQL.AllowList = "/no/such" }},
		{"issuers", func(c *Config) { c.Issuers = nil }},
		{"issuers[0].name", func(c *Config) { c.Issuers[0].Name = "A b" }}, {"issuers[1].name", func(c *Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }},
		{"issuers[0].issuer", func(c *Config) { c.Issuers[0].Issuer = "" }}, {"issuers[1].issuer", func(c *Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }},
		{"issuers[0].algorithms", func(c *Config) { c.Issuers[0].Algorithms = nil }}, {"issuers[0].algorithms", func(c *Config) { c.Issuers[0].Algorithms = []string{"HS256"} }},
		{"issuers[0].algorithms", func(c *Config) { c.Issuers[0].Algorithms = []string{"none"} }}, {"issuers[0].session_claim", func(c *Config) { c.Issuers[0].SessionClaim = "" }},
		{"issuers[0].session_claim", func(c *Config) { c.Issuers[0].SessionClaim = "iss" }},
		{"issuers[0].max_lifetime", func(c *Config) { c.Issuers[0].MaxLifetime = 0 }}, {"issuers[0].max_lifetime", func(c *Config) { c.Issuers[0].MaxLifetime = 32 * 24 * time.Hour }},
		{"issuers[0].jwks_url", func(c *Config) { c.Issuers[0].JWKSURL = "" }}, {"issuers[0].jwks_url", func(c *Config) { c.Issuers[0].JWKS = inlineSet }},
		{"issuers[0].jwks_url", func(c *Config) { c.Issuers[0].JWKSURL = "http://clinic.example/jwks" }}, {"issuers[0].jwks_url", func(c *Config) { c.Issuers[0].JWKSURL = "https://u:p@clinic.example" }},
		{"issuers[0].jwks_url", func(c *Config) { c.Issuers[0].JWKSURL = "file:///etc/passwd" }},
		{"credentials.remember", func(c *Config) { c.Credentials.Remember = 0 }}, {"credentials.clock_skew", func(c *Config) { c.Credentials.ClockSkew = time.Hour }},
		{"credentials.ended_poll", func(c *Config) { c.Credentials.EndedPoll = 0 }}, {"credentials.ended_poll", func(c *Config) { c.Credentials.EndedPoll = time.Hour }},
		{"credentials.max_ended", func(c *Config) { c.Credentials.MaxEnded = 0 }},
		{"issuers[0].logout_types", func(c *Config) { c.Issuers[0].BackChannelLogout, c.Issuers[0].LogoutTypes = true, nil }},
		{"issuers[0].logout_types", func(c *Config) { c.Issuers[0].LogoutTypes = []string{"at+jwt"} }},
		{"issuers[0].logout_audience", func(c *Config) { c.Issuers[0].LogoutAudience = "client" }},
		{"tokens.prefix", func(c *Config) { c.Tokens.Prefix = "Tok" }}, {"tokens.accepted_prefixes", func(c *Config) { c.Tokens.AcceptedPrefixes = []string{""} }},
		{"tokens.max_batch", func(c *Config) { c.Tokens.MaxBatch = 0 }}, {"tokens.max_ttl", func(c *Config) { c.Tokens.MaxTTL = 0 }},
		{"tokens.sweep_interval", func(c *Config) { c.Tokens.SweepInterval = 0 }}, {"grants.max_duration", func(c *Config) { c.Grants.MaxDuration, c.Grants.DefaultDuration = 0, time.Second }},
		{"grants.default_duration", func(c *Config) { c.Grants.DefaultDuration = 25 * time.Hour }},
		{"database.path", func(c *Config) { c.Database.Path = "" }}, {"keys.file", func(c *Config) { c.Keys.File = "" }},
		{"objects.encryption", func(c *Config) { c.Objects.Encryption = "none" }},
		{"objects.store", func(c *Config) { c.Objects.Store = "disk" }}, {"objects.max_size", func(c *Config) { c.Objects.MaxSize = 0 }},
		{"objects.max_multipart_size", func(c *Config) { c.Objects.MaxMultipartSize = 6 << 40 }}, {"objects.multipart_lifetime", func(c *Config) { c.Objects.MultipartLifetime = 8 * 24 * time.Hour }},
		{"objects.max_session_uploads", func(c *Config) { c.Objects.MaxSessionUploads = 0 }}, {"objects.max_tenant_uploads", func(c *Config) { c.Objects.MaxTenantUploads = 15 }},
		{"objects.upload_lifetime", func(c *Config) { c.Objects.UploadLifetime = 0 }}, {"objects.download_lifetime", func(c *Config) { c.Objects.DownloadLifetime = 8 * 24 * time.Hour }},
		{"objects.s3.bucket", func(c *Config) { c.Objects.S3.Bucket = "" }}, {"objects.s3.region", func(c *Config) { c.Objects.S3.Region = "" }},
		{"objects.s3.endpoint", func(c *Config) { c.Objects.S3.Endpoint = "http://minio.example" }}, {"objects.s3.public_endpoint", func(c *Config) { c.Objects.S3.PublicEndpoint = "minio" }},
		{"objects.s3.secret_access_key", func(c *Config) { c.Objects.S3.AccessKeyID = "a" }}, {"objects.s3.timeout", func(c *Config) { c.Objects.S3.Timeout = 0 }},
		{"objects.embedded.dir", also(embedded, func(c *Config) { c.Objects.Embedded.Dir = "" })}, {"objects.embedded.listen", also(embedded, func(c *Config) { c.Objects.Embedded.Listen = "" })},
		{"objects.embedded.public_url", also(embedded, func(c *Config) { c.Objects.Embedded.PublicURL = "" })},
		{"objects.embedded.public_url", also(embedded, func(c *Config) { c.Objects.Embedded.PublicURL = c.HTTP.PublicURL })},
		{"objects.embedded.min_rate", also(embedded, func(c *Config) { c.Objects.Embedded.MinRate = 0 })}, {"objects.embedded.grace", also(embedded, func(c *Config) { c.Objects.Embedded.Grace = 0 })},
		{"objects.embedded.max_transfers", also(embedded, func(c *Config) { c.Objects.Embedded.MaxTransfers, c.Objects.Embedded.MaxSessionTransfers = 0, 1 })},
		{"objects.embedded.max_session_transfers", also(embedded, func(c *Config) { c.Objects.Embedded.MaxSessionTransfers = 257 })},
		{"objects.embedded.max_session_bytes", also(embedded, func(c *Config) { c.Objects.Embedded.MaxSessionBytes = c.Objects.MaxSize - 1 })},
		{"http.allowed_headers", func(c *Config) { c.HTTP.AllowedHeaders = []string{"*"} }}, {"http.allowed_headers", func(c *Config) { c.HTTP.AllowedHeaders = []string{"a b"} }},
		{"log.level", func(c *Config) { c.Log.Level = "loud" }}, {"log.format", func(c *Config) { c.Log.Format = "xml" }}, {"metrics.listen", func(c *Config) { c.Metrics.Listen = "9090" }},
		{"tracing.endpoint", func(c *Config) { c.Tracing.Endpoint = "collector:4318" }}, {"tracing.ratio", func(c *Config) { c.Tracing.Ratio = 1.1 }},
		{"playground.enabled", func(c *Config) { c.Playground = Playground{Enabled: true, SessionURL: "https://x.example"} }},
		{"playground.session_url", func(c *Config) { c.Development, c.Playground = true, Playground{Enabled: true} }},
		{"development", func(c *Config) { c.Development, c.HTTP.Listen = true, "0.0.0.0:8080" }}, {"development", func(c *Config) { c.Development, c.HTTP.Listen = true, ":8080" }},
	} {
		c := valid()
		test.change(c)
		err := c.Verify()
		require.ErrorContains(t, err, "config: "+test.setting+": ")
		if !strings.HasPrefix(test.setting, "issuers[1]") {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				require.True(t, strings.HasPrefix(line, "config: "+test.setting+": "), "only %s is wrong: %s", test.setting, line)
			}
		}
	}
	for name, change := range map[string]func(*Config){
		"embedded": embedded, "origins": func(c *Config) {
			c.HTTP.AllowedOrigins = []string{"https://a.example", "https://a_b.example:8443", "https://[::1]:8443"}
		},
		"origins on loopback": func(c *Config) {
			c.HTTP.PublicURL, c.HTTP.AllowedOrigins = "https://127.0.0.1:8080", []string{"http://localhost:3000", "http://[::1]:3000"}
		},
		"origins in development": func(c *Config) {
			c.Development, c.HTTP.Listen, c.HTTP.AllowedOrigins = true, "127.0.0.1:8080", []string{"http://localhost:3000"}
		},
		"loopback": func(c *Config) {
			c.HTTP.PublicURL, c.Issuers[0].JWKSURL = "http://127.0.0.1:8080", "http://[::1]:8082/jwks"
		},
		"inline": func(c *Config) { c.Issuers[0].JWKSURL, c.Issuers[0].JWKS = "", inlineSet }, "metrics off": func(c *Config) { c.Metrics.Listen = "off" },
		"development": func(c *Config) {
			c.Development, c.Playground = true, Playground{Enabled: true, SessionURL: "http://localhost:8082"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			change(c)
			require.NoError(t, c.Verify(), name)
		})
	}
}
