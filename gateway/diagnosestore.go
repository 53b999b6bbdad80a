package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/objects/embedded"
)

// objects checks the store as a start does, and its CORS rules for pages.
func (d *Diagnosis) objects(ctx context.Context, g *Gateway) {
	if o := g.cfg.Objects; o.Store == "embedded" {
		if _, err := os.Stat(filepath.Join(o.Embedded.Dir, "credentials.json")); errors.Is(err, fs.ErrNotExist) {
			d.add(Note, "objects", "%s does not exist yet; the gateway makes it", o.Embedded.Dir)
			return
		}
	}
	store, err := g.newStore(ctx)
	switch {
	case errors.Is(err, embedded.ErrInUse):
		d.add(Note, "objects", "a running gateway uses %s; its /readyz and its log of the start report the store's state", g.cfg.Objects.Embedded.Dir)
		return
	case err != nil:
		d.add(Failed, "objects", "%v", err)
		return
	}
	if err := store.Verify(ctx); err != nil {
		d.add(Failed, "objects", "%v", err)
		return
	}
	d.add(OK, "objects", "a canary was stored, read under its key alone, and deleted; browsers reach it at %s", store.Origin())
	d.cors(ctx, g, store)
}

func (d *Diagnosis) cors(ctx context.Context, g *Gateway, store objects.Store) {
	origins := g.cfg.HTTP.AllowedOrigins
	if len(origins) == 0 {
		d.add(Note, "cors", "http.allowed_origins is empty: pages of other origins can't call the gateway")
	}
	if g.cfg.Objects.Store == "embedded" {
		d.add(OK, "cors", "the embedded store answers the gateway's pages and those of http.allowed_origins")
		return
	}
	client, err := pageClient(g.cfg)
	if err != nil {
		d.add(Failed, "cors", "%v", err)
		return
	}
	for _, origin := range slices.Concat(origins, []string{g.cfg.HTTP.PublicURL}) {
		if err := d.preflights(ctx, client, store, mode(g.cfg), origin); err != nil {
			d.add(Failed, "cors", "%s: %v", origin, err)
			continue
		}
		d.add(OK, "cors", "the store lets pages of %s put and get values", origin)
	}
}

// preflights sends the requests that a browser sends before the signed ones (Fetch, "CORS-preflight fetch").
func (d *Diagnosis) preflights(ctx context.Context, client *http.Client, store objects.Store, mode objects.Mode, origin string) error {
	var key objects.CustomerKey
	if mode == objects.SSEC {
		_, _ = rand.Read(key[:]) // never fails: crypto/rand
	}
	put, err := store.SignUpload(objects.Upload{Object: "doctor", Mode: mode, Key: key, Size: 1})
	if err != nil {
		return err
	}
	get, err := store.SignDownload(objects.Download{Object: "doctor", Mode: mode, Key: key})
	if err != nil {
		return err
	}
	for _, signed := range []objects.SignedRequest{put, get} {
		if err := preflight(ctx, client, signed, origin); err != nil {
			return fmt.Errorf("a preflight for %s: %w", signed.Method, err)
		}
	}
	return nil
}

func preflight(ctx context.Context, client *http.Client, signed objects.SignedRequest, origin string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, signed.URL, nil)
	if err != nil {
		return errors.New("the store's URL is malformed")
	}
	var names []string
	for _, h := range signed.Headers {
		names = append(names, strings.ToLower(h.Name))
	}
	slices.Sort(names)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", signed.Method)
	r.Header.Set("Access-Control-Request-Headers", strings.Join(names, ","))
	answer, err := client.Do(r)
	if err != nil {
		return unsigned(err)
	}
	defer answer.Body.Close()
	lists := func(header, wanted string) bool {
		for item := range strings.SplitSeq(strings.Join(answer.Header.Values(header), ","), ",") {
			if item = strings.TrimSpace(item); item == "*" || strings.EqualFold(item, wanted) {
				return true
			}
		}
		return false
	}
	switch allowed := answer.Header.Get("Access-Control-Allow-Origin"); {
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("status %d; let the bucket's CORS rules name the origin, PUT, GET and every header of the signed requests", answer.StatusCode)
	case allowed != "*" && allowed != origin:
		return errors.New("the bucket's CORS rules do not name the origin")
	case !lists("Access-Control-Allow-Methods", signed.Method):
		return errors.New("the bucket's CORS rules do not name the method")
	}
	for _, name := range names {
		if !lists("Access-Control-Allow-Headers", name) {
			return fmt.Errorf("the bucket's CORS rules do not name the header %s", name)
		}
	}
	return nil
}

// unsigned removes the URL from an error of net/http, because the URL is signed.
func unsigned(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return errors.New("the store can't be reached")
}

// pageClient returns a client that follows no redirect, as a page's preflight must not (Fetch).
func pageClient(cfg *Config) (*http.Client, error) {
	roots, err := certificates("objects.s3.ca_file", cfg.Objects.S3.CAFile)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
