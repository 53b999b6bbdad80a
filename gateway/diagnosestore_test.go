package gateway

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/objects/objectstest"
)

// TestPreflight: a store's answer to a preflight is judged as a browser judges it.
func TestPreflight(t *testing.T) {
	const origin = "https://www.example.org"
	good := map[string]string{
		"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "GET, PUT", "Access-Control-Allow-Headers": "Content-Type, if-none-match,x-key",
	}
	with := func(name, value string) map[string]string {
		changed := maps.Clone(good)
		changed[name] = value
		return changed
	}
	for name, test := range map[string]struct {
		status  int
		headers map[string]string
		want    string
	}{
		"good": {200, good, ""}, "no content": {204, good, ""}, "any origin": {200, with("Access-Control-Allow-Origin", "*"), ""}, "any header": {200, with("Access-Control-Allow-Headers", "*"), ""},
		"forbidden": {403, good, "status 403"}, "a redirect": {302, good, "status 302"}, "another origin": {200, with("Access-Control-Allow-Origin", "https://x.example"), "do not name the origin"},
		"nothing": {200, nil, "do not name the origin"}, "another method": {200, with("Access-Control-Allow-Methods", "GET"), "do not name the method"},
		"a header too few": {200, with("Access-Control-Allow-Headers", "content-type, x-key"), "the header if-none-match"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked *http.Request
			store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r
				for name, value := range test.headers {
					w.Header().Set(name, value)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
			}))
			defer store.Close()
			client, err := pageClient(DefaultConfig())
			require.NoError(t, err)
			err = preflight(t.Context(), client, objects.SignedRequest{
				Method: http.MethodPut, URL: store.URL + "/values/1?signature=secret",
				Headers: []objects.Header{{Name: "X-Key", Value: "secret"}, {Name: "Content-Type", Value: "x/y"}, {Name: "If-None-Match", Value: "*"}},
			}, origin)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
			require.Equal(t, http.MethodOptions, asked.Method)
			require.Equal(t, "content-type,if-none-match,x-key", asked.Header.Get("Access-Control-Request-Headers"))
			require.Empty(t, asked.Header.Get("X-Key"), "a preflight has only the headers' names")
		})
	}
	t.Run("no server listens", func(t *testing.T) {
		client, err := pageClient(DefaultConfig())
		require.NoError(t, err)
		err = preflight(t.Context(), client, objects.SignedRequest{Method: http.MethodPut, URL: "http://127.0.0.1:1/values/1?signature=secret"}, origin)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	})
}

// TestDiagnoseS3 checks the canary and the CORS rules of a real store.
func TestDiagnoseS3(t *testing.T) {
	minio := objectstest.StartMinIO(t, "https://www.example.org", "https://cloakroom.example.org")
	cfg := recipe(t, "Google", rsaSigner())
	cfg.Issuers = cfg.Issuers[:1]
	cfg.Issuers[0].Tenant = ""
	dir := t.TempDir()
	cfg.Database.Path, cfg.Keys.File, cfg.Keys.Create = filepath.Join(dir, "db"), filepath.Join(dir, "keyset.json"), true
	cfg.HTTP.AllowedOrigins = []string{"https://www.example.org"}
	o, s3 := minio.Options(), &cfg.Objects.S3
	s3.Endpoint, s3.Region, s3.Bucket, s3.PathStyle, s3.AccessKeyID = o.Endpoint, o.Region, o.Bucket, true, o.Credentials.AccessKeyID
	s3.SecretAccessKey, s3.CAFile = config.Secret(o.Credentials.SecretAccessKey), filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(s3.CAFile, minio.CAPEM, 0o600))
	found := Diagnose(t.Context(), cfg, "")
	require.False(t, found.Failed(), "%v", found)
	require.Contains(t, found, Finding{OK, "cors", "the store lets pages of https://www.example.org put and get values"})
	cfg.HTTP.AllowedOrigins = []string{"https://other.example"}
	found = Diagnose(t.Context(), cfg, "")
	require.True(t, found.Failed())
	s3.Bucket = "no-such-bucket"
	found = Diagnose(t.Context(), cfg, "")
	require.True(t, found.Failed())
	for _, f := range found {
		require.NotContains(t, f.Text, o.Credentials.SecretAccessKey)
	}
}

// TestDiagnoseTheGatewayItself: whether it answers where callers expect it.
func TestDiagnoseTheGatewayItself(t *testing.T) {
	for name, test := range map[string]struct {
		status int // 0: nothing listens
		want   State
		text   string
	}{
		"it is ready":     {http.StatusOK, OK, "ready at "},
		"it is not ready": {http.StatusServiceUnavailable, Note, "/readyz answers with status 503"},
		"it is not there": {0, Note, "nothing answers at "},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "/base/readyz", r.URL.Path)
				w.WriteHeader(test.status)
			}))
			defer server.Close()
			if test.status == 0 {
				server.Close()
			}
			var d Diagnosis
			d.gateway(t.Context(), server.URL+"/base/")
			require.Len(t, d, 1)
			require.Equal(t, test.want, d[0].State)
			require.Contains(t, d[0].Text, test.text)
		})
	}
}
