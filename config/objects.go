package config

import "time"

// Objects is where values are.
type Objects struct {
	// s3, or embedded for the store in the process. Default: s3.
	Store string `yaml:"store"`
	// Bytes of one value. Default: 1073741824.
	MaxSize int64 `yaml:"max_size"`
	// Bytes of a value whose size is not told, and what it is charged with in rates.bytes_reserved. The embedded store keeps it; S3
	// can't. Default: 16777216.
	MaxUnsizedSize int64 `yaml:"max_unsized_size"`
	// Refuses to tokenize a value whose size is not told. A size that is told is signed into the upload. Default: false.
	RequireSize bool `yaml:"require_size"`
	// How long a signed upload is valid; never longer than its token. Default: 15m.
	UploadLifetime time.Duration `yaml:"upload_lifetime"`
	// How long a signed download is valid; never longer than its token, but up to this long after the grant, and with S3 the session,
	// has ended. Default: 1m.
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
	// Base URL of the store as browsers see it: an origin of its own, never the gateway's. Required with embedded.
	PublicURL string `yaml:"public_url"`

	// Bytes per second that an upload or download must move, measured over each objects.embedded.grace; a slower one is cut. How long
	// a transfer takes does not matter. Default: 4096.
	MinRate int64 `yaml:"min_rate"`
	// How long a transfer may stand still, or lag behind. Systems hand data to slow clients in bursts, so a short one cuts honest
	// ones. Default: 30s.
	Grace time.Duration `yaml:"grace"`
	// Uploads and downloads under way at once; each holds up to 130 KiB of memory. Further ones are answered with 503 SlowDown and
	// Retry-After. Default: 256.
	MaxTransfers int `yaml:"max_transfers"`
	// Those of one session. It gets fewer while much is in use: less than an eighth of what is free, and its tenant less than three
	// times of it, so that others always find room. Default: 16.
	MaxSessionTransfers int `yaml:"max_session_transfers"`
	// Bytes of one session's uploads under way, which are in temporary files until they are whole; 0: twice objects.max_size. Default:
	// 0.
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
	// Names the bucket in the path instead of the host, as MinIO wants. Default: false.
	PathStyle bool `yaml:"path_style"`
	// Credentials of the bucket; none: what the AWS SDK finds (environment, profile, instance or pod role). Default: none.
	AccessKeyID string `yaml:"access_key_id"`
	// Belongs to access_key_id. Never printed. Default: none.
	SecretAccessKey Secret `yaml:"secret_access_key"`
	// Certificates (PEM) that the store's is checked against; none: the system's. Default: none.
	CAFile string `yaml:"ca_file"`
	// For the gateway's own calls to the store. Default: 10s.
	Timeout time.Duration `yaml:"timeout"`
}
