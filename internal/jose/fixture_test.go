package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
)

type jwk map[string]any

// with returns the key with further members; nil removes one.
func (k jwk) with(more jwk) jwk {
	changed := maps.Clone(k)
	maps.Copy(changed, more)
	maps.DeleteFunc(changed, func(_ string, v any) bool { return v == nil })
	return changed
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func set(members ...any) []byte {
	if members == nil {
		members = []any{}
	}
	b, err := json.Marshal(map[string]any{"keys": members})
	if err != nil {
		panic(err)
	}
	return b
}

type pair struct {
	private crypto.Signer
	public  jwk
	secret  jwk // what makes the JWK private
}

// pairs are made once, because generating RSA keys is slow.
var pairs = sync.OnceValue(func() map[string]pair {
	all := map[string]pair{}
	for crv, c := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		must(err)
		point, err := k.PublicKey.Bytes()
		must(err)
		d, err := k.Bytes()
		must(err)
		half := (len(point) - 1) / 2
		all[crv] = pair{k, jwk{"kty": "EC", "crv": crv, "kid": crv, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}, jwk{"d": b64(d)}}
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	all["RSA"] = pair{r, rsaJWK("RSA", r.N, big.NewInt(int64(r.E))), jwk{"d": b64(r.D.Bytes())}}
	public, e, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	all["Ed25519"] = pair{e, jwk{"kty": "OKP", "crv": "Ed25519", "kid": "Ed25519", "x": b64(public)}, jwk{"d": b64(e.Seed())}}
	return all
})

func rsaJWK(kid string, n, e *big.Int) jwk {
	return jwk{"kty": "RSA", "kid": kid, "n": b64(n.Bytes()), "e": b64(e.Bytes())}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// many returns n different keys, all usable.
func many(n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = pairs()["P-256"].public.with(jwk{"kid": fmt.Sprint("k", i)})
	}
	return all
}

// mlDSA is a key in the form of the drafts of ML-DSA for JOSE.
func mlDSA() jwk {
	return jwk{"kty": "AKP", "kid": "pq-1", "alg": "ML-DSA-44", "use": "sig", "pub": strings.Repeat("A", 1750)}
}
