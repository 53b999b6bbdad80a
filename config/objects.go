package config

import "time"

// Values of Objects.Encryption.
const (
	EncryptionSSEC   = "sse-c"
	EncryptionClient = "client"
)

// Objects is the store of values.
type Objects struct {
	// s3, or embedded for the store in the process. Default: s3.
	Store string `yaml:"store"`
	// Who encrypts new values: sse-c, the store, with the key that each signed request carries (SSE-C); client, the browser or program,
	// before the upload, for stores that refuse SSE-C, as new AWS buckets do. Values keep their own mode. Default: sse-c.
	Encryption string `yaml:"encryption"`
	// Bytes of one value. Default: 1073741824.
	MaxSize int64 `yaml:"max_size"`
	// Most bytes of a value whose size is not given, and its charge in rates.bytes_reserved. The embedded store enforces the bound; S3
	// can't. Default: 16777216.
	MaxUnsizedSize int64 `yaml:"max_unsized_size"`
	// Refuses to tokenize a value whose size is not given. A given size is part of the signed upload. Default: false.
	RequireSize bool `yaml:"require_size"`
	// Bytes of one value that is uploaded in parts (beginUpload). The embedded store also bounds it by objects.max_size. Default:
	// 5497558138880.
	MaxMultipartSize int64 `yaml:"max_multipart_size"`
	// How long an upload in parts may be under way, never longer than its token's life; then its parts and its token are deleted.
	// Default: 24h.
	MultipartLifetime time.Duration `yaml:"multipart_lifetime"`
	// Most uploads in parts that a session has under way; fewer if its tenant has many: less than an eighth of the free ones, so that
	// others find room. Default: 16.
	MaxSessionUploads int `yaml:"max_session_uploads"`
	// Most uploads in parts that all sessions of a tenant have under way. Default: 10000.
	MaxTenantUploads int `yaml:"max_tenant_uploads"`
	// Lifetime of a signed upload; never longer than its token's. Default: 15m.
	UploadLifetime time.Duration `yaml:"upload_lifetime"`
	// Lifetime of a signed download; never longer than its token's. A download stays valid up to this long after the end of the grant
	// and, with S3, of the session. Default: 1m.
	DownloadLifetime time.Duration `yaml:"download_lifetime"`
	Embedded         Embedded      `yaml:"embedded"`
	S3               S3            `yaml:"s3"`
}

// Embedded is the object store in the process.
type Embedded struct {
	// Folder that keeps the values. Required with embedded.
	Dir string `yaml:"dir"`
	// Address of the store. Required with embedded.
	Listen string `yaml:"listen"`
	// Base URL of the store as browsers see it: a separate origin, never the gateway's. Required with embedded.
	PublicURL string `yaml:"public_url"`

	// Bytes per second that an upload or download must move, measured over each objects.embedded.grace; a slower one is cut. There is no
	// bound on the duration of a transfer. Default: 4096.
	MinRate int64 `yaml:"min_rate"`
	// How long a transfer may stand still, or be too slow. Systems send data to slow clients in bursts, so a short grace cuts honest
	// clients. Default: 30s.
	Grace time.Duration `yaml:"grace"`
	// Most concurrent uploads and downloads; each uses up to 130 KiB of memory. Further ones are answered with 503 SlowDown and
	// Retry-After. Default: 256.
	MaxTransfers int `yaml:"max_transfers"`
	// Most concurrent uploads and downloads of one session. It gets fewer while many are in use: less than an eighth of the free ones,
	// and its tenant less than three times as many as are free, so that others always find room. Default: 16.
	MaxSessionTransfers int `yaml:"max_session_transfers"`
	// Bytes of one session's unfinished uploads, which are in temporary files until they are complete; 0: twice objects.max_size.
	// Default: 0.
	MaxSessionBytes int64 `yaml:"max_session_bytes"`
}

// S3 is an S3-compatible store.
type S3 struct {
	// URL of the store; none: AWS, by its region. Default: none.
	Endpoint string `yaml:"endpoint"`
	// URL of the store as browsers reach it; none: objects.s3.endpoint. Default: none.
	PublicEndpoint string `yaml:"public_endpoint"`
	// The bucket's region; required without an endpoint. Default: none.
	Region string `yaml:"region"`
	// The bucket that keeps the values. Required with s3.
	Bucket string `yaml:"bucket"`
	// Puts the bucket's name into the path instead of the host, as MinIO needs. Default: false.
	PathStyle bool `yaml:"path_style"`
	// Credentials of the bucket; none: those that the AWS SDK finds (environment, profile, instance or pod role). Default: none.
	AccessKeyID string `yaml:"access_key_id"`
	// The secret key of access_key_id. Never printed. Default: none.
	SecretAccessKey Secret `yaml:"secret_access_key"`
	// File with certificates of CAs (PEM) for the store; none: the system's. Default: none.
	CAFile string `yaml:"ca_file"`
	// Longest time of the gateway's own calls to the store. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}
