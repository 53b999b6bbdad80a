// Package config is the gateway's settings: one typed struct, defaults in code, a file and the
// environment on top, and Verify, which refuses what is wrong or unsafe by the setting's name. A program that embeds the
// gateway sets the fields of gateway.Config, which is Config, in Go.
//
// Precedence: environment (CLOAKROOM_HTTP_LISTEN for http.listen), then the file, then defaults. A
// name that no setting bears is refused, so that a typing error can't switch a protection off.
package config

import (
	"fmt"
	"io"
	"time"
)

// Config is every setting. Keys in the file are the yaml tags.
type Config struct {
	Development  bool         `yaml:"development"` // relaxes what is safe on loopback only
	HTTP         HTTP         `yaml:"http"`
	GraphQL      GraphQL      `yaml:"graphql"`
	Issuers      []Issuer     `yaml:"issuers"`
	Credentials  Credentials  `yaml:"credentials"`
	SignIn       SignIn       `yaml:"sign_in"`
	TrustedProxy TrustedProxy `yaml:"trusted_proxy"`
	Rates        Rates        `yaml:"rates"`
	Tokens       Tokens       `yaml:"tokens"`
	Grants       Grants       `yaml:"grants"`
	Database     Database     `yaml:"database"`
	Space        Space        `yaml:"space"`
	Keys         Keys         `yaml:"keys"`
	Objects      Objects      `yaml:"objects"`
	Log          Log          `yaml:"log"`
	Metrics      Metrics      `yaml:"metrics"`
	Tracing      Tracing      `yaml:"tracing"`
	Playground   Playground   `yaml:"playground"`
}

// HTTP is the gateway's listener and its bounds.
type HTTP struct {
	Listen             string        `yaml:"listen"`
	PublicURL          string        `yaml:"public_url"`           // base URL; the audience of JWTs by default
	AllowedOrigins     []string      `yaml:"allowed_origins"`      // pages that may call the gateway (CORS)
	AllowedHeaders     []string      `yaml:"allowed_headers"`      // that those pages may send besides what the protocol needs
	MaxBody            int64         `yaml:"max_body"`             // bytes of a request
	MaxApplicationBody int64         `yaml:"max_application_body"` // bytes of an application's request, whose lists are longer
	MaxConnections     int           `yaml:"max_connections"`      // open at once, on each listener
	MaxPerAddress      int           `yaml:"max_connections_per_address"`
	ReadTimeout        time.Duration `yaml:"read_timeout"`
	WriteTimeout       time.Duration `yaml:"write_timeout"`   // for a client to take some more of an answer
	RequestTimeout     time.Duration `yaml:"request_timeout"` // for executing one request
	IdleTimeout        time.Duration `yaml:"idle_timeout"`
	ShutdownTimeout    time.Duration `yaml:"shutdown_timeout"` // for finishing what runs
	TrustedHops        []string      `yaml:"trusted_hops"`     // networks of proxies that say in a header whose request they pass on
	ClientHeader       string        `yaml:"client_header"`    // that header: X-Forwarded-For or Forwarded
	TLS                TLS           `yaml:"tls"`
}

// TLS is how the gateway's listener speaks TLS itself; no files: it speaks HTTP.
type TLS struct {
	CertFile     string `yaml:"cert_file"` // PEM, with the chain
	KeyFile      string `yaml:"key_file"`
	ClientCAFile string `yaml:"client_ca_file"` // PEM; every client then needs a certificate of these
}

// GraphQL bounds and guards operations.
type GraphQL struct {
	Introspection    bool   `yaml:"introspection"` // and suggestions in errors
	MaxTokens        int    `yaml:"max_tokens"`    // lexical tokens of a document
	MaxDepth         int    `yaml:"max_depth"`
	MaxAliases       int    `yaml:"max_aliases"`
	MaxDirectives    int    `yaml:"max_directives"`
	MaxSelections    int    `yaml:"max_selections"` // fields and spreads written in a document
	MaxComplexity    int    `yaml:"max_complexity"`
	DocumentCache    int64  `yaml:"document_cache"`    // bytes of documents kept parsed
	PersistedQueries bool   `yaml:"persisted_queries"` // automatic persisted queries
	PersistedCache   int64  `yaml:"persisted_cache"`   // bytes of automatic persisted queries
	AllowList        string `yaml:"allow_list"`        // folder of *.graphql and manifests; only these operations run
}

// Tokens are their names and bounds.
type Tokens struct {
	Prefix           string        `yaml:"prefix"`
	AcceptedPrefixes []string      `yaml:"accepted_prefixes"` // besides prefix
	MaxBatch         int           `yaml:"max_batch"`
	MaxTTL           time.Duration `yaml:"max_ttl"`
	SweepInterval    time.Duration `yaml:"sweep_interval"`
}

// Grants are their lives.
type Grants struct {
	DefaultDuration time.Duration `yaml:"default_duration"`
	MaxDuration     time.Duration `yaml:"max_duration"`
	MaxBatch        int           `yaml:"max_batch"` // entries of one list of an application's
}

// Database is where rows are.
type Database struct {
	Path    string `yaml:"path"`    // SQLite file
	Reserve int64  `yaml:"reserve"` // bytes of its disk kept for revocations and deletions; 0: by the disk's size
}

// Space is the room on the disks of the database and of the embedded store.
type Space struct {
	MinFree int64 `yaml:"min_free"` // bytes; with less, no new values are taken; 0: by the disk's size
}

// Keys is where the keyset is.
type Keys struct {
	File   string `yaml:"file"`
	Create bool   `yaml:"create"` // make the file where there is none
}

// Objects is where values are.
type Objects struct {
	Store            string        `yaml:"store"`             // embedded or s3
	MaxSize          int64         `yaml:"max_size"`          // bytes of one value
	MaxUnsizedSize   int64         `yaml:"max_unsized_size"`  // bytes of a value whose size is not told
	RequireSize      bool          `yaml:"require_size"`      // refuse values of unknown size
	UploadLifetime   time.Duration `yaml:"upload_lifetime"`   // of a signed request
	DownloadLifetime time.Duration `yaml:"download_lifetime"` // of a signed request
	Embedded         Embedded      `yaml:"embedded"`
	S3               S3            `yaml:"s3"`
}

// Embedded is the object store in the process.
type Embedded struct {
	Dir       string `yaml:"dir"`
	Listen    string `yaml:"listen"`
	PublicURL string `yaml:"public_url"` // its own origin, never the gateway's

	MinRate             int64         `yaml:"min_rate"`              // bytes per second that a transfer must move
	Grace               time.Duration `yaml:"grace"`                 // over which min_rate is measured
	MaxTransfers        int           `yaml:"max_transfers"`         // under way at once
	MaxSessionTransfers int           `yaml:"max_session_transfers"` // of one session
	MaxSessionBytes     int64         `yaml:"max_session_bytes"`     // of one session's uploads under way; 0: twice objects.max_size
}

// S3 is an S3-compatible store.
type S3 struct {
	Endpoint        string        `yaml:"endpoint"`        // empty: AWS
	PublicEndpoint  string        `yaml:"public_endpoint"` // as browsers reach it; empty: endpoint
	Region          string        `yaml:"region"`
	Bucket          string        `yaml:"bucket"`
	PathStyle       bool          `yaml:"path_style"`
	AccessKeyID     string        `yaml:"access_key_id"` // empty: the AWS SDK's default chain
	SecretAccessKey Secret        `yaml:"secret_access_key"`
	CAFile          string        `yaml:"ca_file"` // PEM; empty: the system's
	Timeout         time.Duration `yaml:"timeout"`
}

// Log is what is logged, to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // json or text
}

// Metrics is where Prometheus reads.
type Metrics struct {
	Listen string `yaml:"listen"` // an address of its own; gateway: /metrics of http.listen; off; empty: as gateway in development, else nowhere
}

// What Metrics.Listen can be instead of an address.
const (
	MetricsOnGateway = "gateway" // beside /graphql
	MetricsOff       = "off"
)

// Tracing is where OpenTelemetry traces go.
type Tracing struct {
	Endpoint string  `yaml:"endpoint"` // OTLP over HTTP, as http://127.0.0.1:4318; empty: none
	Ratio    float64 `yaml:"ratio"`    // share of requests that are traced
}

// Playground is the page at /.
type Playground struct {
	Enabled    bool   `yaml:"enabled"`
	SessionURL string `yaml:"session_url"` // where it gets a session's JWT
}

// Secret is a setting that never prints.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return "[redacted]" }

// MarshalText implements encoding.TextMarshaler: it returns a mask, and no error.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Format implements fmt.Formatter: %d would otherwise print the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Default returns the settings that hold where nothing else is said.
func Default() *Config {
	return &Config{
		HTTP: HTTP{
			Listen: "127.0.0.1:8080", AllowedHeaders: allowedHeaders(), MaxBody: 256 << 10, MaxApplicationBody: 2 << 20, MaxConnections: 8192, MaxPerAddress: 1024,
			ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, RequestTimeout: 15 * time.Second,
			IdleTimeout: 2 * time.Minute, ShutdownTimeout: 20 * time.Second, ClientHeader: "X-Forwarded-For",
		},
		GraphQL: GraphQL{
			MaxTokens: 4000, MaxDepth: 24, MaxAliases: 30, MaxDirectives: 50, MaxSelections: 500, MaxComplexity: 5000,
			DocumentCache: 8 << 20, PersistedQueries: true, PersistedCache: 4 << 20,
		},
		Credentials:  Credentials{Remember: 50_000, ClockSkew: 5 * time.Second, MaxSize: 16 << 10, EndedPoll: time.Second, MaxEnded: 1_000_000},
		SignIn:       SignIn{StateLifetime: 5 * time.Minute, Cookie: Cookie{SameSite: "strict", Lifetime: time.Hour}},
		TrustedProxy: TrustedProxy{MaxLifetime: 24 * time.Hour},
		Rates:        defaultRates(),
		Tokens:       Tokens{Prefix: "tok", MaxBatch: 1000, MaxTTL: 100 * 365 * 24 * time.Hour, SweepInterval: time.Minute},
		Grants:       Grants{DefaultDuration: 15 * time.Minute, MaxDuration: 24 * time.Hour, MaxBatch: 10_000},
		Objects: Objects{
			Store: "s3", MaxSize: 1 << 30, MaxUnsizedSize: 16 << 20, UploadLifetime: 15 * time.Minute, DownloadLifetime: time.Minute,
			Embedded: Embedded{MinRate: 4096, Grace: 30 * time.Second, MaxTransfers: 256, MaxSessionTransfers: 16},
			S3:       S3{Timeout: 10 * time.Second},
		},
		Log:     Log{Level: "info", Format: "json"},
		Tracing: Tracing{Ratio: 1},
	}
}
