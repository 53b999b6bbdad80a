package config

import "time"

// HTTP has the settings of the gateway's listener.
type HTTP struct {
	// Address of the gateway. Default: 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// Base URL as browsers see it, without a path. It is the audience of JWTs unless an issuer sets another. Required.
	PublicURL string `yaml:"public_url"`
	// Origins of pages that may call the gateway and the embedded store, in exact spelling; no patterns. They are https; http is for
	// loopback, in development or if http.public_url is on loopback too. Default: none.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// Request headers that those pages may send to the gateway and the embedded store (CORS), besides Authorization, Content-Type and
	// the gateway's own. Default: traceparent, tracestate, baggage, sentry-trace, apollographql-client-name,
	// apollographql-client-version, apollo-require-preflight, x-apollo-operation-name.
	AllowedHeaders []string `yaml:"allowed_headers"`
	// Most bytes of a request's body. Values are never part of it. Default: 262144.
	MaxBody int64 `yaml:"max_body"`
	// The same for applications, which send longer lists. Default: 2097152.
	MaxApplicationBody int64 `yaml:"max_application_body"`
	// Connections open at once, on each listener. Default: 8192.
	MaxConnections int `yaml:"max_connections"`
	// The same for each client address, IPv6 by /64; an IPv6 /56 has at most twice as many. Default: 1024.
	MaxPerAddress int `yaml:"max_connections_per_address"`
	// Longest time for receiving a request. Default: 15s.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// Longest time in which a client takes the next 16 KiB of an answer. There is no bound for the whole answer. Default: 30s.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// Longest time for executing a request. Default: 15s.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// How long a connection is kept between requests. Default: 2m.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Longest time for finishing running requests when the gateway stops. Default: 20s.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	// Networks of the proxies in front, such as 10.1.2.3/32, which write the client's address to http.client_header. The header is
	// ignored from other peers. Default: none.
	TrustedHops []string `yaml:"trusted_hops"`
	// Header with the client's address: X-Forwarded-For, or Forwarded (RFC 7239). It is read from the right, up to the first address
	// that is not a trusted hop's. Default: X-Forwarded-For.
	ClientHeader string `yaml:"client_header"`
	TLS          TLS    `yaml:"tls"`
}

// TLS has the certificate of the gateway's listener; without files the listener serves HTTP.
type TLS struct {
	// File with the certificate and its chain (PEM). With it, and its key, http.listen serves TLS 1.2 or newer, and HTTP/2; none:
	// HTTP, behind a proxy that terminates TLS. Default: none.
	CertFile string `yaml:"cert_file"`
	// File with the private key of cert_file. Default: none.
	KeyFile string `yaml:"key_file"`
	// File with certificates of CAs (PEM). Every client then needs a certificate that one of them has issued. Read at start. Default:
	// none.
	ClientCAFile string `yaml:"client_ca_file"`
}

// GraphQL bounds and guards operations.
type GraphQL struct {
	// Allows introspection, and suggestions in errors. Default: false.
	Introspection bool `yaml:"introspection"`
	// Lexical tokens of a document. Default: 4000.
	MaxTokens int `yaml:"max_tokens"`
	// Levels of nested fields. Default: 24.
	MaxDepth int `yaml:"max_depth"`
	// Aliases of an operation, counted as often as their fragment is spread. Default: 30.
	MaxAliases int `yaml:"max_aliases"`
	// Directives of an operation, counted in the same way. Default: 50.
	MaxDirectives int `yaml:"max_directives"`
	// Fields and spreads in a document's text. They are counted before validation, because its cost grows with their square. Default:
	// 500.
	MaxSelections int `yaml:"max_selections"`
	// Cost of an operation: 10 for each root field, 1 for every other, and 1 for each entry of a list in an argument. Default: 5000.
	MaxComplexity int `yaml:"max_complexity"`
	// Bytes of the cache of parsed and validated documents; 0: no cache. Default: 8388608.
	DocumentCache int64 `yaml:"document_cache"`
	// Accepts automatic persisted queries: a client sends a document once, and later only its hash. Default: true.
	PersistedQueries bool `yaml:"persisted_queries"`
	// Bytes of the cache of persisted queries. Default: 4194304.
	PersistedCache int64 `yaml:"persisted_cache"`
	// Folder of *.graphql and *.gql files, and of manifests by Apollo, Relay or graphql-codegen (*.json). Only these operations are
	// executed, sent as an equivalent text or by an id. Default: none.
	AllowList string `yaml:"allow_list"`
}
