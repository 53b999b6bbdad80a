// Package config has the gateway's settings: one typed struct, its defaults in code, and Verify, which refuses wrong or
// unsafe settings by name. A program that embeds the gateway sets the fields of gateway.Config, an alias of Config, in
// Go, or reads them with gateway.LoadConfig from a file and the environment.
//
// Precedence of LoadConfig: environment (CLOAKROOM_HTTP_LISTEN for http.listen), then the file, then defaults. An
// unknown name is refused, so that a typing error can't switch a protection off.
package config

import (
	"fmt"
	"io"
	"time"
)

// Config has every setting. Keys in the file are the yaml tags; the fields' comments name other settings by these keys. Durations
// have units in files and in the environment, such as 90s or 15m.
type Config struct {
	// Allows features that are safe on loopback only, such as the playground. http.listen must then be a loopback address, and
	// requests for other names than loopback's (localhost, 127.0.0.1, [::1]) get 421. Default: false.
	Development  bool         `yaml:"development"`
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

// Tokens are the settings of tokens.
type Tokens struct {
	// Prefix of new tokens, before the -. Default: tok.
	Prefix string `yaml:"prefix"`
	// Further prefixes that are accepted, such as an earlier one. Default: none.
	AcceptedPrefixes []string `yaml:"accepted_prefixes"`
	// Most entries of a list that a session sends: tokens or inputs. Default: 1000.
	MaxBatch int `yaml:"max_batch"`
	// Longest ttl of a token (the default is 100 years of 365 days). Default: 876000h.
	MaxTTL time.Duration `yaml:"max_ttl"`
	// Interval at which expired tokens and grants are removed. They are refused from the moment they expire. Default: 1m.
	SweepInterval time.Duration `yaml:"sweep_interval"`
}

// Grants are the settings of grants.
type Grants struct {
	// Duration of a grant if the caller names none. Default: 15m.
	DefaultDuration time.Duration `yaml:"default_duration"`
	// Longest duration of a grant. Default: 24h.
	MaxDuration time.Duration `yaml:"max_duration"`
	// Most entries of a list that an application sends: tokens, checks, or the tokens of all entries of createGrants. Default: 10000.
	MaxBatch int `yaml:"max_batch"`
}

// Database is the database of rows.
type Database struct {
	// The SQLite file. Required.
	Path string `yaml:"path"`
	// Bytes of its disk that are reserved for revocations and deletions on a full disk; 0: 48 MiB, or an eighth of the disk if that
	// is less. Other values are 4 MiB or more. Default: 0.
	Reserve int64 `yaml:"reserve"`
}

// Space is the room on the disks of the database and of the embedded store.
type Space struct {
	// Free bytes below which tokenize and uploads to the embedded store are refused, on the disk of the database and on the store's;
	// 0: 256 MiB, or an eighth of the disk if that is less. Default: 0.
	MinFree int64 `yaml:"min_free"`
}

// Keys is the keyset.
type Keys struct {
	// File of the keyset, readable by its owner only; cloakroom keys create FILE makes one. Keep a copy: without it no token can be
	// read again. Required.
	File string `yaml:"file"`
	// Makes the keyset if there is none. For development: if a keyset is lost, the new one is refused only because the database was
	// made with the lost one. Default: false.
	Create bool `yaml:"create"`
}

// Log is the log, on standard error.
type Log struct {
	// debug, info, warn or error. Logs go to standard error, and have no value, token, session id or key. Default: info.
	Level string `yaml:"level"`
	// json or text. Default: json.
	Format string `yaml:"format"`
}

// Metrics is the endpoint for Prometheus.
type Metrics struct {
	// Listener of /metrics for Prometheus: a separate address, gateway for the address of http.listen, or off. None: as gateway
	// in development, otherwise as off. Default: none.
	Listen string `yaml:"listen"`
}

// Values of Metrics.Listen that are no address.
const (
	MetricsOnGateway = "gateway" // beside /graphql
	MetricsOff       = "off"
)

// Tracing is the export of OpenTelemetry traces.
type Tracing struct {
	// OpenTelemetry collector, OTLP over HTTP, such as http://127.0.0.1:4318; none: no traces. Default: none.
	Endpoint string `yaml:"endpoint"`
	// Share of the requests that are traced, from 0 to 1. Default: 1.
	Ratio float64 `yaml:"ratio"`
}

// Playground is the page at /.
type Playground struct {
	// Serves the playground at /; in development only. Default: false.
	Enabled bool `yaml:"enabled"`
	// The application's POST /.cloakroom/session, where the playground gets its JWT. Required with enabled.
	SessionURL string `yaml:"session_url"`
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

// Default returns the defaults of all settings.
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
			Store: "s3", Encryption: EncryptionSSEC, MaxSize: 1 << 30, MaxUnsizedSize: 16 << 20, UploadLifetime: 15 * time.Minute, DownloadLifetime: time.Minute,
			MaxMultipartSize: 5 << 40, MultipartLifetime: 24 * time.Hour, MaxSessionUploads: 16, MaxTenantUploads: 10_000,
			Embedded: Embedded{MinRate: 4096, Grace: 30 * time.Second, MaxTransfers: 256, MaxSessionTransfers: 16},
			S3:       S3{Timeout: 10 * time.Second},
		},
		Log:     Log{Level: "info", Format: "json"},
		Tracing: Tracing{Ratio: 1},
	}
}
