package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// canaryTimeout bounds each step of Verify. All steps are local.
const canaryTimeout = 10 * time.Second

// SignUpload implements objects.Store. A size over MaxObjectSize is objects.ErrTooLarge.
func (s *Server) SignUpload(u objects.Upload) (objects.SignedRequest, error) {
	if u.Size > s.opts.MaxObjectSize {
		return objects.SignedRequest{}, objects.ErrTooLarge
	}
	return s.sign.Upload(u, s.opts.Now(), s.opts.UploadLifetime, s.names.of(u.Signer).text())
}

// SignDownload implements objects.Store.
func (s *Server) SignDownload(d objects.Download) (objects.SignedRequest, error) {
	return s.sign.Download(d, s.opts.Now(), s.opts.DownloadLifetime, s.names.of(d.Signer).text())
}

// Delete implements objects.Store. It returns when the removals are on disk and all transfers of the objects are stopped.
func (s *Server) Delete(ctx context.Context, names ...string) error {
	return s.erase(ctx, names, s.disk.remove)
}

// Tombstone implements objects.Store. It returns when the tombstones are on disk and all transfers of the objects are
// stopped.
func (s *Server) Tombstone(ctx context.Context, names ...string) error {
	return s.erase(ctx, names, s.disk.tombstone)
}

func (s *Server) erase(ctx context.Context, names []string, how func(context.Context, []string) error) error {
	for _, name := range names {
		if !objects.ValidObject(name) {
			return objects.ErrObjectName
		}
	}
	s.transfers.stopObjects(names)
	return how(ctx, names)
}

// EndSession implements objects.Store.
func (s *Server) EndSession(g objects.Signer) {
	now := s.opts.Now()
	until := s.lastURL(now)
	s.transfers.endSession(s.names.of(g), end{signed: until, until: until}, now)
}

// SignOut implements objects.Store. URLs count whole seconds, so URLs signed later in the same second are refused too.
func (s *Server) SignOut(g objects.Signer) {
	now := s.opts.Now()
	s.transfers.endSession(s.names.of(g), end{signed: now, until: s.lastURL(now)}, now)
}

// lastURL returns when every URL signed up to now has expired.
func (s *Server) lastURL(now time.Time) time.Time {
	return now.Add(maxAhead + max(s.opts.UploadLifetime, s.opts.DownloadLifetime))
}

func (s *Server) newPace() pace { return newPace(s.opts.MinRate, s.opts.Grace) }

// Verify implements objects.Store with the same canary as other stores. It calls the handler directly,
// without a listener. This store has no request for an object without its key, even for the owner of
// the secret, so Canary.Plain is nil.
func (s *Server) Verify(ctx context.Context) error {
	return objects.Canary{
		Mode: s.opts.Mode,
		HTTP: &http.Client{Transport: inProcess{s}}, Timeout: canaryTimeout,
		Upload: s.SignUpload, Download: s.SignDownload, Delete: s.Delete,
	}.Run(ctx)
}

// Origin implements objects.Store.
func (s *Server) Origin() string { return s.sign.Origin() }

// Ready implements objects.Store: it checks that the directories exist.
func (s *Server) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.disk.ready()
}

// inProcess is a transport that calls a handler.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper. It buffers the response in memory, because a canary's is small. For a response that
// the handler aborts it returns io.ErrUnexpectedEOF.
func (p inProcess) RoundTrip(r *http.Request) (res *http.Response, err error) {
	defer func() {
		e := recover()
		if aborted, ok := e.(error); ok && errors.Is(aborted, http.ErrAbortHandler) {
			res, err = nil, io.ErrUnexpectedEOF
		} else if e != nil {
			panic(e)
		}
	}()
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Host = r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
	p.handler.ServeHTTP(w, in)
	return &http.Response{
		StatusCode: w.status, Header: w.header, Request: r, ContentLength: int64(w.body.Len()),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(&w.body),
	}, nil
}

type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
