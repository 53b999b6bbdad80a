package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/httpd"
	"github.com/cloakroomhq/cloakroom/internal/signin"
	"github.com/cloakroomhq/cloakroom/internal/telemetry"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

var (
	_ httpd.Observer      = (*telemetry.Metrics)(nil)
	_ credential.Observer = (*telemetry.Metrics)(nil)
	_ signin.Observer     = (*telemetry.Metrics)(nil)
	_ vault.Observer      = (*telemetry.Metrics)(nil)
)

func TestMetrics(t *testing.T) {
	m := telemetry.NewMetrics("1.2.3")
	m.Request("tokenize", "", 3*time.Millisecond)
	m.Request("detokenize", "GRANT_REQUIRED", time.Millisecond)
	m.Credential(credential.Remembered)
	m.SignIn("completed")
	m.GrantsCreated("READ", 2)
	m.GrantsChecked("STORE", 3, 4)
	m.Presigned("PUT", 5)
	m.Swept("tokens", 6)
	m.ObjectRefused("slow")
	m.Shed("objects", "share")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	for _, line := range []string{
		`cloakroom_requests_total{code="",field="tokenize"} 1`, `cloakroom_requests_total{code="GRANT_REQUIRED",field="detokenize"} 1`,
		`cloakroom_request_duration_seconds_count{field="tokenize"} 1`, `cloakroom_credentials_total{outcome="remembered"} 1`,
		`cloakroom_grants_created_total{kind="READ"} 2`, `cloakroom_grants_checked_total{kind="STORE",result="held"} 3`,
		`cloakroom_grants_checked_total{kind="STORE",result="missing"} 4`, `cloakroom_presigned_total{method="PUT"} 5`,
		`cloakroom_swept_total{table="tokens"} 6`, `cloakroom_sign_ins_total{outcome="completed"} 1`,
		`cloakroom_objects_refused_total{reason="slow"} 1`, `cloakroom_connections_shed_total{bound="share",listener="objects"} 1`, `cloakroom_build_info{version="1.2.3"} 1`, "go_goroutines ",
	} {
		require.Contains(t, w.Body.String(), "\n"+line)
	}
	telemetry.NewMetrics("again") // each has its own registry
}

// TestTracing: spans arrive at the configured endpoint before the stop returns; without one nothing is sent.
func TestTracing(t *testing.T) {
	var got atomic.Pointer[string]
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s := r.URL.Path + " " + string(b)
		got.Store(&s)
	}))
	defer collector.Close()
	ctx := context.Background()
	for _, endpoint := range []string{"", collector.URL + "/v1/traces"} {
		tracer, stop, err := telemetry.NewTracer(ctx, config.Tracing{Endpoint: endpoint, Ratio: 1}, "1.2.3")
		require.NoError(t, err)
		_, span := tracer.Start(ctx, "a-span")
		require.Equal(t, endpoint != "", span.IsRecording())
		span.End()
		require.NoError(t, stop(ctx))
		if endpoint == "" {
			require.Nil(t, got.Load())
		}
	}
	require.NotNil(t, got.Load())
	require.True(t, strings.HasPrefix(*got.Load(), "/v1/traces "))
	require.Contains(t, *got.Load(), "a-span")
}
