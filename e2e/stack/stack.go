// Package stack starts the programs of "cloakroom dev" (gateway, object store and example application),
// in the test's process or as a child process, and calls them as a client would: over HTTP, without
// retries.
package stack

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/dev"
)

// Patience bounds every wait. A wait polls, and ends as soon as its condition holds.
const Patience = 30 * time.Second

// started is the last line that a stack prints at start.
const started = "Ctrl-C stops it"

// Stack is a running stack. Its URLs have no trailing slash.
type Stack struct {
	Data                           string // the data folder
	GatewayURL, ObjectsURL, AppURL string
	Logs, Out                      *Buffer
	HTTP                           *http.Client // follows no redirect, keeps no cookie

	end func() error // stops it once; later calls return the same
}

// Option changes how a stack starts.
type Option func(*dev.Options)

// Configure changes the gateway's settings.
func Configure(change func(*gateway.Config)) Option {
	return func(o *dev.Options) {
		before := o.Configure
		o.Configure = func(c *gateway.Config) {
			if before != nil {
				before(c)
			}
			change(c)
		}
	}
}

// Data uses the given data folder instead of a temporary one.
func Data(dir string) Option { return func(o *dev.Options) { o.Data = dir } }

// At starts a stack on the addresses of another, which has ended, so that its cookies and URLs stay valid.
func At(s *Stack) Option {
	return func(o *dev.Options) {
		o.Listen, o.ObjectsListen, o.AppListen = host(s.GatewayURL), host(s.ObjectsURL), host(s.AppURL)
	}
}

// Start runs a stack in this process, logging at debug level, until the test ends. The test fails if it
// does not become ready, or ends with an error.
func Start(t testing.TB, options ...Option) *Stack {
	t.Helper()
	s := newStack(t)
	o := dev.Options{
		Data: t.TempDir(), Listen: "127.0.0.1:0", ObjectsListen: "127.0.0.1:0", AppListen: "127.0.0.1:0",
		Logger: slog.New(slog.NewJSONHandler(s.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Out: s.Out,
	}
	for _, option := range options {
		option(&o)
	}
	s.Data = o.Data
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var failure error
	go func() {
		defer close(ended)
		failure = dev.Run(ctx, o)
	}()
	s.end = func() error {
		cancel()
		s.HTTP.CloseIdleConnections()
		select {
		case <-ended:
			return failure
		case <-time.After(Patience):
			return errors.New("the stack does not stop")
		}
	}
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Errorf("the stack ended with: %v", err)
		}
	})
	s.await(t, ended)
	return s
}

// Stop ends the stack, and fails the test on an error.
func (s *Stack) Stop(t testing.TB) {
	t.Helper()
	require.NoError(t, s.end())
}

func newStack(t testing.TB) *Stack {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.DisableCompression = true
	transport.MaxIdleConnsPerHost = 64
	t.Cleanup(transport.CloseIdleConnections)
	return &Stack{Logs: &Buffer{}, Out: &Buffer{}, HTTP: &http.Client{
		Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var urls = regexp.MustCompile(`playground +(\S+)/\n[^\n]*\n +objects +(\S+)\n(?: +example app +(\S+)/\n)?`)

// await waits until the stack has printed its addresses and that it is ready.
func (s *Stack) await(t testing.TB, ended <-chan struct{}) {
	t.Helper()
	Await(t, "the stack to start", func() bool {
		select {
		case <-ended:
			t.Fatalf("the stack ended at start: %v\n%s", s.end(), s.Logs)
		default:
		}
		return strings.Contains(s.Out.String(), started)
	})
	found := urls.FindStringSubmatch(s.Out.String())
	require.Len(t, found, 4, "printed:\n%s", s.Out)
	s.GatewayURL, s.ObjectsURL, s.AppURL = found[1], found[2], found[3] // no application's URL unless it is the example
	Await(t, "readiness", func() bool { return s.Get(t, s.GatewayURL+"/readyz").Status == http.StatusOK })
}

// Await polls until the condition holds.
func Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }
