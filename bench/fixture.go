package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

const (
	tenant     = "bench"
	issuerName = "https://app.bench.example"
)

// Rates are counted as in production, but few sessions send the load of a whole site, so the limits must not refuse it.
const (
	beyondLoad      = "{per_second: 1000000000, burst: 1000000000}"
	beyondLoadBytes = "{per_second: 1000000000000000, burst: 1000000000000000}"
)

// fixture is one gateway's folder: its configuration, its sessions and their tokens.
type fixture struct {
	dir, config string
	address     string // of the gateway
	database    string
	application string     // its JWT
	jwts        []string   // by session
	tokens      [][]string // by session
	client      *http.Client
}

// newFixture writes the settings of a gateway as an operator would, with as many defaults as possible: an
// embedded store, which only signs requests here, and an issuer with inline keys.
func newFixture(dir string, sessions int) (*fixture, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	f := &fixture{
		dir: dir, config: filepath.Join(dir, "config.yaml"), address: ports[0], database: filepath.Join(dir, "cloakroom.db"),
		client: &http.Client{Timeout: time.Minute},
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := jwk.FromRaw(private)
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	set, err := json.Marshal(map[string]any{"keys": []any{public}})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`http: {listen: %[1]q, public_url: "http://%[1]s"}
issuers:
  - {name: %[3]s, issuer: %[4]q, audience: gateway, algorithms: [ES256], session_claim: sid, trust_roles: true, max_lifetime: 24h, jwks: '%[5]s'}
grants: {default_duration: 12h}
database: {path: %[6]q}
keys: {file: %[7]q, create: true}
objects: {store: embedded, embedded: {dir: %[8]q, listen: %[2]q, public_url: "http://%[2]s"}}
rates:
  tokens_reserved: {session: %[9]s, tenant: %[9]s}
  bytes_reserved: {session: %[10]s, tenant: %[10]s}
  tokens_read: {session: %[9]s, tenant: %[9]s}
  anonymous_requests: {address: %[9]s}
`, ports[0], ports[1], tenant, issuerName, set, f.database, filepath.Join(dir, "keyset.json"), filepath.Join(dir, "objects"), beyondLoad, beyondLoadBytes)
	if err := os.WriteFile(f.config, []byte(config), 0o600); err != nil {
		return nil, err
	}
	f.jwts = make([]string, sessions)
	for i := range f.jwts {
		if f.jwts[i], err = signed(key, fmt.Sprintf("user-%06d", i), "sid", rand.Text()); err != nil {
			return nil, err
		}
	}
	f.application, err = signed(key, "backend", "roles", []string{"application"})
	return f, err
}

// signed returns a JWT with one claim in addition to the registered ones.
func signed(key jwk.Key, subject, claim string, value any) (string, error) {
	now := time.Now().Truncate(time.Second)
	unsigned, err := jwt.NewBuilder().Issuer(issuerName).Audience([]string{"gateway"}).Subject(subject).
		IssuedAt(now).Expiration(now.Add(12*time.Hour)).Claim(claim, value).Build()
	if err != nil {
		return "", err
	}
	text, err := jwt.Sign(unsigned, jwt.WithKey(jwa.ES256, key))
	return string(text), err
}

// fill makes n tokens for every session, through the running gateway.
func (f *fixture) fill(ctx context.Context, n int) error {
	f.tokens = make([][]string, len(f.jwts))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range 8 {
		wg.Go(func() {
			for i := range next {
				err := f.fillSession(ctx, i, n)
				mu.Lock()
				first = errors.Join(first, err)
				mu.Unlock()
			}
		})
	}
	for i := range f.jwts {
		if mu.Lock(); first != nil {
			mu.Unlock()
			break
		}
		mu.Unlock()
		next <- i
	}
	close(next)
	wg.Wait()
	return first
}

func (f *fixture) fillSession(ctx context.Context, i, n int) error {
	text, err := f.ask(ctx, f.address, i, body(tokenizeBatchQuery, map[string]any{"inputs": tokenizeInputs(n)}))
	if err != nil {
		return err
	}
	var made struct{ Data canned }
	if err := json.Unmarshal(text, &made); err != nil {
		return err
	}
	for _, t := range made.Data.TokenizeBatch {
		f.tokens[i] = append(f.tokens[i], t.Token.String())
	}
	return nil
}

// ask sends a session's request to a server, and returns the answer if it has no errors.
func (f *fixture) ask(ctx context.Context, address string, session int, body []byte) ([]byte, error) {
	return f.askPath(ctx, address, "/graphql", session, body)
}

func (f *fixture) askPath(ctx context.Context, address, path string, session int, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+f.jwts[session])
	r.Header.Set("Content-Type", "application/json")
	response, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), answerStart) || bytes.Contains(text, []byte(`"code"`)) {
		return nil, fmt.Errorf("asking %s: status %d: %.300s", address, response.StatusCode, text)
	}
	return text, nil
}

// freePorts returns loopback addresses without a listener.
func freePorts(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}
