// Package objectstest tests object stores: one contract suite that every implementation of
// objects.Store runs, over real HTTP, and a real MinIO to run it against.
package objectstest

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// MinIO is a MinIO server for one test, on loopback over TLS. It is a separate process, because its
// licence (AGPL) rules out linking it.
type MinIO struct {
	Endpoint  string // https://127.0.0.1:PORT
	AccessKey string
	SecretKey string
	Region    string
	Bucket    string // created at start
	CAPEM     []byte // the certificate authority
	CAPool    *x509.CertPool
	Dir       string // of its objects on disk
}

// StartMinIO starts a server with one empty bucket and stops it when the test ends. CORS allows the
// given origins, or all if there are none. If MinIO is not installed the test fails.
func StartMinIO(t testing.TB, origins ...string) *MinIO {
	t.Helper()
	program := findMinIO(t)
	certs := t.TempDir()
	m := &MinIO{
		AccessKey: "access-" + randomHex(6), SecretKey: randomHex(20),
		Region: "us-east-1", Bucket: "values-" + randomHex(4), Dir: t.TempDir(),
	}
	m.CAPEM = writeCerts(t, certs)
	m.CAPool = x509.NewCertPool()
	require.True(t, m.CAPool.AppendCertsFromPEM(m.CAPEM))
	const attempts = 3 // another process may take the free port first
	for i := range attempts {
		if m.start(t, program, certs, origins) {
			m.CreateBucket(t, m.Bucket)
			return m
		}
		t.Logf("MinIO did not start, attempt %d of %d", i+1, attempts)
	}
	t.Fatal("MinIO does not start")
	return nil
}

// start runs the program and waits until it is healthy; it returns false if the program ended.
func (m *MinIO) start(t testing.TB, program, certs string, origins []string) bool {
	t.Helper()
	address := freeAddress(t)
	m.Endpoint = "https://" + address
	log, err := os.Create(filepath.Join(t.TempDir(), "minio.log"))
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	cmd := exec.Command(program, "server", "--certs-dir", certs, "--address", address, m.Dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+m.AccessKey, "MINIO_ROOT_PASSWORD="+m.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1", "HOME="+certs)
	if len(origins) > 0 {
		cmd.Env = append(cmd.Env, "MINIO_API_CORS_ALLOW_ORIGIN="+strings.Join(origins, ","))
	}
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })

	ready := m.Client()
	ready.Timeout = 2 * time.Second
	poll, deadline := time.NewTicker(50*time.Millisecond), time.After(90*time.Second)
	defer poll.Stop()
	for {
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			t.Logf("MinIO ended: %s", text)
			return false
		case <-deadline:
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("MinIO is not ready after 90 s: %s", text)
		case <-poll.C:
			if res, err := ready.Get(m.Endpoint + "/minio/health/ready"); err == nil {
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					return true
				}
			}
		}
	}
}

// Client returns an HTTP client that trusts the server's certificate.
func (m *MinIO) Client() *http.Client { return clientFor(m.CAPool) }

// Options returns the options of NewS3 for the server's first bucket.
func (m *MinIO) Options() objects.S3Options {
	return objects.S3Options{
		Endpoint: m.Endpoint, Region: m.Region, Bucket: m.Bucket, PathStyle: true, RootCAs: m.CAPool,
		Credentials: objects.Credentials{AccessKeyID: m.AccessKey, SecretAccessKey: m.SecretKey},
	}
}

// CreateBucket makes another empty bucket.
func (m *MinIO) CreateBucket(t testing.TB, name string) {
	t.Helper()
	client := s3.New(s3.Options{
		Region: m.Region, BaseEndpoint: &m.Endpoint, UsePathStyle: true, HTTPClient: m.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(m.AccessKey, m.SecretKey, ""),
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
}

// Denying returns options as Options does, for a user who may do everything except delete or write one object.
func (m *MinIO) Denying(t testing.TB, object string) objects.S3Options {
	t.Helper()
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::*"},`+
		`{"Effect":"Deny","Action":["s3:DeleteObject","s3:PutObject"],"Resource":"arn:aws:s3:::%s/%s"}]}`, m.Bucket, object)
	client := sts.New(sts.Options{
		Region: m.Region, BaseEndpoint: &m.Endpoint, HTTPClient: m.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(m.AccessKey, m.SecretKey, ""),
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:xxx:xxx:xxx:xxxx"), RoleSessionName: aws.String("test"), Policy: &policy, // MinIO ignores the names
	})
	require.NoError(t, err)
	o := m.Options()
	c := out.Credentials
	o.Credentials = objects.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
	return o
}

// findMinIO looks in the module's .tools/bin, then in PATH. The test fails without MinIO, because a contract
// suite that runs against one store only proves little.
func findMinIO(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if p := filepath.Join(dir, ".tools", "bin", "minio"); isFile(p) {
				return p
			}
		}
	}
	p, err := exec.LookPath("minio")
	if err != nil {
		t.Fatal("minio is not installed: run `make tools` (scripts/install-minio.sh), which builds the pinned version into .tools/bin")
	}
	return p
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
