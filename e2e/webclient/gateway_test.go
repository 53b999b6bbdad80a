package webclient_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/cloakroomtest"
	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/grant"
	"github.com/cloakroomhq/cloakroom/internal/objects/objectstest"
)

// modes of encryption, each with every store.
var modes = []string{config.EncryptionSSEC, config.EncryptionClient}

const maxSize = 32 << 20 // bytes of a value

// place is a running gateway and its application, as the client's tests know them.
type place struct {
	URL     string `json:"url"`
	App     string `json:"app"`
	MaxSize int64  `json:"maxSize"`
	Mode    string `json:"mode"`

	gw *cloakroomtest.Gateway
}

func start(t *testing.T, mode string, configure ...func(*gateway.Config)) place {
	t.Helper()
	gw := cloakroomtest.Start(t, append(configure, func(c *gateway.Config) {
		c.Objects.Encryption, c.Objects.MaxSize, c.Objects.MaxMultipartSize = mode, maxSize, maxSize
	})...)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jwt", func(w http.ResponseWriter, r *http.Request) {
		jwt, _, err := gw.Session(r.FormValue("login")).Credentials(r.Context())
		assert.NoError(t, err)
		_, _ = io.WriteString(w, jwt)
	})
	mux.HandleFunc("POST /grant", func(w http.ResponseWriter, r *http.Request) {
		tokens, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		_, err = gw.Client().CreateGrants(r.Context(), appkit.SessionID(r.URL.Query().Get("login")),
			[]grant.Request{{Tokens: strings.Fields(string(tokens)), Kinds: []grant.Kind{grant.Read}}})
		assert.NoError(t, err)
	})
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	return place{URL: gw.URL, App: app.URL, MaxSize: maxSize, Mode: mode, gw: gw}
}

func (p place) environ(t *testing.T) []string {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	return []string{"CLOAKROOM_GATEWAY=" + string(text)}
}

// The client stores and reads values with a real gateway and its embedded store.
func TestGateway(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			environ := start(t, mode).environ(t)
			nodeTests(t, environ, "real-gateway.js")
			nodeTests(t, environ, "real-parts.js")
		})
	}
}

// The same with MinIO.
func TestMinIO(t *testing.T) {
	minio := objectstest.StartMinIO(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, minio.CAPEM, 0o600))
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			p := start(t, mode, func(c *gateway.Config) {
				o, s3 := minio.Options(), &c.Objects.S3
				c.Objects.Store = "s3"
				s3.Endpoint, s3.Region, s3.Bucket, s3.PathStyle, s3.AccessKeyID = o.Endpoint, o.Region, o.Bucket, true, o.Credentials.AccessKeyID
				s3.SecretAccessKey, s3.CAFile = config.Secret(o.Credentials.SecretAccessKey), ca
			})
			environ := append(p.environ(t), "NODE_EXTRA_CA_CERTS="+ca)
			nodeTests(t, environ, "real-gateway.js")
			nodeTests(t, environ, "real-parts.js")
		})
	}
}

// A value that one client stores opens in the other: the Go client and this one, in each mode.
func TestTheGoClientAndThisOne(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			p := start(t, mode)
			ada := p.gw.Session("ada")
			value := strings.Repeat("Zoë ", 500_000)
			ours := p.gw.Tokenize(t, ada, value)
			input, err := json.Marshal(map[string]any{"place": p, "value": value, "token": ours})
			require.NoError(t, err)
			var theirs struct {
				Token string
				Equal bool
			}
			require.NoError(t, json.Unmarshal(runScript(t, "exchange.js", input), &theirs))
			assert.True(t, theirs.Equal, "what the Go client stored")
			assert.Equal(t, value, p.gw.Detokenize(t, ada, theirs.Token))
		})
	}
}
