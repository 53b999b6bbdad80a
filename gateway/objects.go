package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/objects/embedded"
	"github.com/cloakroomhq/cloakroom/web"
)

// openObjects opens the configured store and tests with a canary, before anything is served, that the store keeps values
// secret. If there is no room for the test, it runs later, and no value is accepted before.
func (g *Gateway) openObjects(ctx context.Context) (objects.Store, error) {
	s, err := g.newStore(ctx)
	if err != nil {
		return nil, fmt.Errorf("config: objects: %w", err)
	}
	g.admission.store = s
	if err := g.admission.prove(ctx); err != nil {
		if !shortage(err) {
			return nil, fmt.Errorf("config: objects: %w", err)
		}
		g.log.ErrorContext(ctx, "there is no room to test the object store: tokenize and uploads are refused until there is room", slog.Any("error", err))
	}
	return s, nil
}

func (g *Gateway) newStore(ctx context.Context) (objects.Store, error) {
	o := g.cfg.Objects
	if o.Store == "embedded" {
		return g.newEmbedded()
	}
	s3 := objects.S3Options{
		Endpoint: o.S3.Endpoint, PublicEndpoint: o.S3.PublicEndpoint, Region: o.S3.Region, Bucket: o.S3.Bucket,
		PathStyle: o.S3.PathStyle, Mode: mode(g.cfg), Timeout: o.S3.Timeout, UploadLifetime: o.UploadLifetime, DownloadLifetime: o.DownloadLifetime,
		Credentials: objects.Credentials{AccessKeyID: o.S3.AccessKeyID, SecretAccessKey: o.S3.SecretAccessKey.Reveal()},
	}
	var err error
	if s3.RootCAs, err = certificates("s3.ca_file", o.S3.CAFile); err != nil {
		return nil, err
	}
	return objects.NewS3(ctx, s3)
}

// mode returns the mode of new values.
func mode(cfg *Config) objects.Mode {
	if cfg.Objects.Encryption == config.EncryptionClient {
		return objects.Client
	}
	return objects.SSEC
}

func (g *Gateway) newEmbedded() (objects.Store, error) {
	o := g.cfg.Objects
	if err := os.MkdirAll(o.Embedded.Dir, 0o700); err != nil {
		return nil, err
	}
	credentials, err := embedded.LoadOrCreateCredentials(filepath.Join(o.Embedded.Dir, "credentials.json"))
	if err != nil {
		return nil, err
	}
	var admit func(context.Context, int64) error // nil for doctor, which opens only the store
	if g.admission != nil {
		admit = g.admission.Admit
	}
	var observer embedded.Observer
	if g.telemetry != nil {
		observer = g.telemetry
	}
	s, err := embedded.New(embedded.Options{
		Dir: filepath.Join(o.Embedded.Dir, "values"), PublicURL: o.Embedded.PublicURL, Mode: mode(g.cfg),
		MaxObjectSize: mode(g.cfg).ObjectSize(o.MaxSize), MaxUnsizedSize: o.MaxUnsizedSize,
		AllowedOrigins: append([]string{g.cfg.HTTP.PublicURL}, g.cfg.HTTP.AllowedOrigins...),
		AllowedHeaders: g.cfg.HTTP.AllowedHeaders, MinRate: o.Embedded.MinRate, Grace: o.Embedded.Grace,
		MaxTransfers: o.Embedded.MaxTransfers, MaxSessionTransfers: o.Embedded.MaxSessionTransfers, MaxSessionBytes: o.Embedded.MaxSessionBytes,
		UploadLifetime: o.UploadLifetime, DownloadLifetime: o.DownloadLifetime, Credentials: credentials, Logger: g.log,
		Admit: admit, Observer: observer,
	})
	if err != nil {
		return nil, err
	}
	g.objects = s
	g.closers = append(g.closers, func(context.Context) error { return s.Close() })
	return s, nil
}

// playground returns nil if the playground is switched off.
func (g *Gateway) playground(store objects.Store) (http.Handler, error) {
	if !g.cfg.Playground.Enabled {
		return nil, nil
	}
	cfg := web.PlaygroundConfig{SessionURL: g.cfg.Playground.SessionURL, ConnectSources: []string{store.Origin()}}
	if err := cfg.Verify(); err != nil {
		return nil, fmt.Errorf("config: playground: %w", err)
	}
	return web.Playground(cfg), nil
}
