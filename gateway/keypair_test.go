package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/config"
)

// TestCertificateIsReadAgain at most ten seconds after its files have changed. If the files don't match, are half written or
// missing, the previous certificate stays.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	k := &keyPair{
		files: config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")},
		log:   slog.New(slog.DiscardHandler), now: func() time.Time { return now },
	}
	write := func(serial int64) (cert []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: now.Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		require.NoError(t, os.WriteFile(k.files.CertFile, cert, 0o600))
		require.NoError(t, os.WriteFile(k.files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
		return cert
	}
	served := func() int64 {
		pair, err := k.get(nil)
		require.NoError(t, err)
		return pair.Leaf.SerialNumber.Int64()
	}
	require.Error(t, k.read(), "there are no files")
	write(1)
	require.NoError(t, k.read())
	cert := write(2)
	require.EqualValues(t, 1, served())
	now = now.Add(rereadAfter)
	require.EqualValues(t, 2, served())
	for name, spoil := range map[string]func() error{
		"half written": func() error { return os.WriteFile(k.files.CertFile, cert[:len(cert)/2], 0o600) },
		"empty":        func() error { return os.WriteFile(k.files.KeyFile, nil, 0o600) },
		"gone":         func() error { return os.Remove(k.files.CertFile) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, spoil())
			now = now.Add(rereadAfter)
			require.EqualValues(t, 2, served(), name)
		})
	}
	write(3)
	now = now.Add(rereadAfter)
	require.EqualValues(t, 3, served())
}
