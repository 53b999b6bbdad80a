package gateway

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/config"
)

// rereadAfter is the age of a certificate after which the next handshake reads its files again.
const rereadAfter = 10 * time.Second

// newTLS returns the TLS configuration of the gateway's listener, or nil if it serves HTTP.
func newTLS(cfg *Config, log *slog.Logger) (*tls.Config, error) {
	files := cfg.HTTP.TLS
	if files.CertFile == "" {
		return nil, nil
	}
	pair := &keyPair{files: files, log: log, now: time.Now}
	if err := pair.read(); err != nil {
		return nil, fmt.Errorf("config: http.tls.cert_file: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	setting := "http.tls.client_ca_file"
	switch {
	case files.ClientCAFile != "":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case cfg.TrustedProxy.ClientCAFile != "":
		// Only the proxy needs a certificate. Each request then checks whether its certificate is the proxy's.
		c.ClientAuth = tls.VerifyClientCertIfGiven
		setting, files.ClientCAFile = "trusted_proxy.client_ca_file", cfg.TrustedProxy.ClientCAFile
	}
	var err error
	if c.ClientCAs, err = certificates(setting, files.ClientCAFile); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return c, nil
}

// certificates reads a setting's file of certificates. It returns nil if the setting is empty.
func certificates(setting, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM", setting, file)
	}
	return pool, nil
}

// keyPair is a certificate that is read again when its files have changed. If the files can't be read, or are
// half written, the previous certificate stays.
type keyPair struct {
	files config.TLS
	log   *slog.Logger
	now   func() time.Time

	mu        sync.Mutex
	looked    time.Time
	cert, key []byte
	pair      *tls.Certificate
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.looked) >= rereadAfter {
		if err := k.read(); err != nil {
			k.log.Error("the certificate could not be read again; the previous one is used", slog.Any("error", err))
		}
	}
	return k.pair, nil
}

func (k *keyPair) read() error {
	k.looked = k.now()
	cert, err := os.ReadFile(k.files.CertFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(k.files.KeyFile)
	if err != nil {
		return err
	}
	if k.pair != nil && bytes.Equal(cert, k.cert) && bytes.Equal(key, k.key) {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	k.cert, k.key, k.pair = cert, key, &pair
	return nil
}
