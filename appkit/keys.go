package appkit

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Key is one private signing key: ES256 on P-256. Its id is its RFC 7638 thumbprint. It formats
// as its id with every verb.
type Key struct {
	private jwk.Key
	public  jwk.Key
}

// GenerateKey makes a new key. It returns an error, which has no sentinel, only if the library can't encode one.
func GenerateKey() (*Key, error) {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a signing key: %w", err)
	}
	return newKey(raw)
}

// ParseKey reads a private JWK: EC, P-256, for ES256 signatures. Other members, and a "kid" other than the
// thumbprint, are dropped. Errors say what is wrong without quoting data; they have no sentinel.
func ParseKey(data []byte) (*Key, error) {
	parsed, err := jwk.ParseKey(data)
	if err != nil {
		// The parser's own error may quote the file.
		return nil, errors.New("not a JSON Web Key")
	}
	if alg := parsed.Algorithm().String(); alg != "" && alg != jwa.ES256.String() {
		return nil, fmt.Errorf("key is for %q: use an ES256 key", alg)
	}
	if use := parsed.KeyUsage(); use != "" && use != string(jwk.ForSignature) {
		return nil, fmt.Errorf(`key has "use" %q: use a key for signatures ("sig")`, use)
	}
	private, ok := parsed.(jwk.ECDSAPrivateKey)
	if !ok || private.Crv() != jwa.P256 {
		return nil, errors.New("key is not a private EC key on P-256: use an ES256 key")
	}
	return fromScalar(private)
}

// fromScalar rebuilds the key from its secret alone, and refuses a key whose public half does not belong to it.
func fromScalar(private jwk.ECDSAPrivateKey) (*Key, error) {
	const size = 32
	if len(private.D()) != size || len(private.X()) != size || len(private.Y()) != size {
		return nil, fmt.Errorf("key's d, x and y must have %d bytes each", size)
	}
	raw, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private.D())
	if err != nil {
		return nil, errors.New("key's d is out of range")
	}
	key, err := newKey(raw)
	if err != nil {
		return nil, err
	}
	made, ok := key.public.(jwk.ECDSAPublicKey)
	if !ok || !bytes.Equal(made.X(), private.X()) || !bytes.Equal(made.Y(), private.Y()) {
		return nil, errors.New("key's x and y do not belong to its d")
	}
	return key, nil
}

func newKey(raw *ecdsa.PrivateKey) (*Key, error) {
	private, err := labelled(raw)
	if err != nil {
		return nil, err
	}
	// From the raw public key and not from the private JWK, so that no other member is published.
	public, err := labelled(raw.Public())
	if err != nil {
		return nil, err
	}
	return &Key{private: private, public: public}, nil
}

func labelled(raw any) (jwk.Key, error) {
	key, err := jwk.FromRaw(raw)
	if err != nil {
		return nil, fmt.Errorf("make a JSON Web Key: %w", err)
	}
	if err := jwk.AssignKeyID(key, jwk.WithThumbprintHash(crypto.SHA256)); err != nil {
		return nil, fmt.Errorf("name the key: %w", err)
	}
	return key, errors.Join(key.Set(jwk.AlgorithmKey, jwa.ES256), key.Set(jwk.KeyUsageKey, jwk.ForSignature))
}

// ID returns the key's id, the "kid" of the JWTs that it signs.
func (k *Key) ID() string { return k.private.KeyID() }

// Format implements fmt.Formatter: no verb prints the secret.
func (k *Key) Format(state fmt.State, _ rune) {
	if k == nil || k.private == nil {
		_, _ = fmt.Fprint(state, "[no signing key]")
		return
	}
	_, _ = fmt.Fprintf(state, "[signing key %s]", k.ID())
}
