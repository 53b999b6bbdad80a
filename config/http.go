package config

import "time"

// HTTP is the gateway's listener and its bounds.
type HTTP struct {
	// Address of the gateway. Default: 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// Base URL as browsers see it, without a path. It is the audience of JWTs unless an issuer says otherwise. Required.
	PublicURL string `yaml:"public_url"`
	// Origins of pages that may call the gateway and the embedded store, to the letter; no patterns; https, or on loopback http, in
	// development or where http.public_url is on loopback too. Default: none.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// Request headers that those pages may send to the gateway and the embedded store (CORS), besides Authorization, Content-Type and
	// the gateway's own. Default: traceparent, tracestate, baggage, sentry-trace, apollographql-client-name,
	// apollographql-client-version, apollo-require-preflight, x-apollo-operation-name.
	AllowedHeaders []string `yaml:"allowed_headers"`
	// Bytes of a request's body at most. Values never pass through here. Default: 262144.
	MaxBody int64 `yaml:"max_body"`
	// The same for an application, whose lists are longer. Default: 2097152.
	MaxApplicationBody int64 `yaml:"max_application_body"`
	// Connections open at once, on each listener. Default: 8192.
	MaxConnections int `yaml:"max_connections"`
	// The same for each client address, IPv6 by /64; an IPv6 /56 has at most twice as many. Default: 1024.
	MaxPerAddress int `yaml:"max_connections_per_address"`
	// For receiving a request. Default: 15s.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// For a client to take the next 16 KiB of an answer. There is no bound for the whole. Default: 30s.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// For executing a request. Default: 15s.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// How long a connection is kept between requests. Default: 2m.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// For finishing what runs when the gateway is asked to stop. Default: 20s.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	// Networks of the proxies in front, such as 10.1.2.3/32, which say in http.client_header whose request they pass on. That header
	// is believed of no other peer. Default: none.
	TrustedHops []string `yaml:"trusted_hops"`
	// That header: X-Forwarded-For, or Forwarded (RFC 7239). It is read from the right, up to the first address that is no trusted
	// hop's. Default: X-Forwarded-For.
	ClientHeader string `yaml:"client_header"`
	TLS          TLS    `yaml:"tls"`
}

// TLS is how the gateway's listener speaks TLS itself; no files: it speaks HTTP.
type TLS struct {
	// Certificate with its chain (PEM). With it, and its key, http.listen speaks TLS 1.2 or newer, and HTTP/2; none: HTTP, for a proxy
	// that ends TLS. Default: none.
	CertFile string `yaml:"cert_file"`
	// Belongs to cert_file. Default: none.
	KeyFile string `yaml:"key_file"`
	// Certificates (PEM); every client then has to show one of theirs. Read at start. Default: none.
	ClientCAFile string `yaml:"client_ca_file"`
}

// GraphQL bounds and guards operations.
type GraphQL struct {
	// Answers introspection, and makes suggestions in errors. Default: false.
	Introspection bool `yaml:"introspection"`
	// Lexical tokens of a document. Default: 4000.
	MaxTokens int `yaml:"max_tokens"`
	// Levels of nested fields. Default: 24.
	MaxDepth int `yaml:"max_depth"`
	// Aliases of an operation, counted as often as their fragment is spread. Default: 30.
	MaxAliases int `yaml:"max_aliases"`
	// Directives of an operation, counted alike. Default: 50.
	MaxDirectives int `yaml:"max_directives"`
	// Fields and spreads that a document writes down; counted before it is validated, whose cost grows with their square. Default:
	// 500.
	MaxSelections int `yaml:"max_selections"`
	// Cost of an operation: 10 for each root field, 1 for every other, and 1 for each entry of a list in an argument. Default: 5000.
	MaxComplexity int `yaml:"max_complexity"`
	// Bytes of documents kept parsed and validated; 0 keeps none. Default: 8388608.
	DocumentCache int64 `yaml:"document_cache"`
	// Accepts automatic persisted queries: a client sends a document once, and its hash from then on. Default: true.
	PersistedQueries bool `yaml:"persisted_queries"`
	// Bytes of documents kept for that. Default: 4194304.
	PersistedCache int64 `yaml:"persisted_cache"`
	// Folder of *.graphql and *.gql files, and of manifests by Apollo, Relay or graphql-codegen (*.json). Only these operations run,
	// as a text that means the same or by an id. Default: none.
	AllowList string `yaml:"allow_list"`
}
