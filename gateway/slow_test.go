package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/gatewaytest"
)

// slowly returns one byte at every interval.
type slowly struct {
	left     int
	interval time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	time.Sleep(s.interval)
	p[0] = 'x'
	return 1, nil
}

// TestOnlySignedUploadsMayBeSlow: the body of an unsigned request must arrive within the general timeout, the body of a
// signed upload while its signature is valid.
func TestOnlySignedUploadsMayBeSlow(t *testing.T) {
	g := gatewaytest.Start(t, func(c *gateway.Config) { c.HTTP.ReadTimeout = time.Second })
	store := strings.TrimPrefix(g.Config.Objects.Embedded.PublicURL, "http://")
	conn, err := net.Dial("tcp", store)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	begin := time.Now()
	_, err = io.WriteString(conn, "PUT /values/x HTTP/1.1\r\nHost: "+store+"\r\nContent-Length: 200000\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(begin.Add(30*time.Second)))
	_, err = io.ReadAll(bufio.NewReader(conn))
	require.NoError(t, err, "the store releases the connection")
	require.Less(t, time.Since(begin), 20*time.Second)

	c, err := client.New(client.Options{Endpoint: g.URL, Credentials: g.Session(gatewaytest.Own, "s")})
	require.NoError(t, err)
	made, err := c.Tokenize(t.Context(), client.Value{})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), made.Upload.Method, made.Upload.URL, &slowly{5, 500 * time.Millisecond})
	require.NoError(t, err)
	r.Header = made.Upload.Header.Clone()
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
}
