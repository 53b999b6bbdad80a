package jose_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// TestUnusableMembers: each member is omitted with its reason, and the good key beside it is used.
func TestUnusableMembers(t *testing.T) {
	p := pairs()
	ec, rs, ed := p["P-256"].public, p["RSA"].public, p["Ed25519"].public
	other := p["P-384"].public.with(jwk{"kid": "good"})
	for name, test := range map[string]struct {
		member any
		want   jose.Kind
	}{
		"ML-DSA":                   {mlDSA(), jose.UnknownType},
		"an unknown kty":           {ec.with(jwk{"kty": "XYZ"}), jose.UnknownType},
		"kty in lower case":        {ec.with(jwk{"kty": "ec"}), jose.UnknownType},
		"no kty":                   {ec.with(jwk{"kty": nil}), jose.Malformed},
		"kty a number":             {ec.with(jwk{"kty": 1}), jose.Malformed},
		"symmetric":                {jwk{"kty": "oct", "kid": "k", "k": "AAAAAAAAAAAAAAAAAAAAAA"}, jose.Symmetric},
		"secp256k1":                {ec.with(jwk{"crv": "secp256k1"}), jose.UnknownCrv},
		"Ed448":                    {ed.with(jwk{"crv": "Ed448", "x": b64(make([]byte, 57))}), jose.UnknownCrv},
		"X25519":                   {ed.with(jwk{"crv": "X25519"}), jose.UnknownCrv},
		"use enc":                  {ec.with(jwk{"use": "enc"}), jose.OtherUse},
		"use a list":               {ec.with(jwk{"use": []string{"sig"}}), jose.OtherUse},
		"use empty":                {ec.with(jwk{"use": ""}), jose.OtherUse},
		"key_ops sign":             {ec.with(jwk{"key_ops": []string{"sign"}}), jose.OtherUse},
		"key_ops of none":          {ec.with(jwk{"key_ops": []string{}}), jose.OtherUse},
		"key_ops a string":         {ec.with(jwk{"key_ops": "verify"}), jose.OtherUse},
		"alg for encryption":       {rs.with(jwk{"alg": "RSA-OAEP-256"}), jose.UnknownAlg},
		"alg of another kind":      {rs.with(jwk{"alg": "ES256"}), jose.UnknownAlg},
		"alg of another curve":     {ec.with(jwk{"alg": "ES384"}), jose.UnknownAlg},
		"alg ESP256, of COSE":      {ec.with(jwk{"alg": "ESP256"}), jose.UnknownAlg},
		"alg HS256":                {rs.with(jwk{"alg": "HS256"}), jose.UnknownAlg},
		"alg none":                 {rs.with(jwk{"alg": "none"}), jose.UnknownAlg},
		"alg a number":             {ec.with(jwk{"alg": 1}), jose.Malformed},
		"kid a number":             {ec.with(jwk{"kid": 7}), jose.Malformed},
		"kid null":                 {json.RawMessage(`{"kty":"EC","kid":null}`), jose.Malformed},
		"off the curve":            {ec.with(jwk{"y": ec["x"]}), jose.OffCurve},
		"the point at infinity":    {ec.with(jwk{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), jose.OffCurve},
		"the point of another crv": {ec.with(jwk{"crv": "P-384"}), jose.OffCurve},
		"no y":                     {ec.with(jwk{"y": nil}), jose.Malformed},
		"x is no base64":           {ec.with(jwk{"x": "!"}), jose.Malformed},
		"an Ed25519 key too short": {ed.with(jwk{"x": b64(make([]byte, 31))}), jose.Malformed},
		"RSA of 1024 bits":         {rsaJWK("k", bits(1024), big.NewInt(65537)), jose.Weak},
		"RSA of 2047 bits":         {rsaJWK("k", bits(2047), big.NewInt(65537)), jose.Weak},
		"RSA of 8193 bits":         {rsaJWK("k", bits(8193), big.NewInt(65537)), jose.Weak},
		"RSA exponent 1":           {rsaJWK("k", bits(2048), big.NewInt(1)), jose.Weak},
		"RSA exponent 2":           {rsaJWK("k", bits(2048), big.NewInt(2)), jose.Weak},
		"RSA exponent 2^64+1":      {rsaJWK("k", bits(2048), new(big.Int).SetBit(big.NewInt(1), 64, 1)), jose.Weak},
		"RSA exponent empty":       {rs.with(jwk{"e": ""}), jose.Malformed},
		"a name twice":             {json.RawMessage(`{"kty":"EC","kty":"RSA"}`), jose.Malformed},
		"null":                     {nil, jose.Malformed},
		"a string":                 {"k", jose.Malformed},
		"a list":                   {[]any{ec}, jose.Malformed},
		"a set":                    {json.RawMessage(set(ec)), jose.Malformed},
		"an EC private key":        {ec.with(p["P-256"].secret), jose.Private},
		"an RSA private key":       {rs.with(p["RSA"].secret), jose.Private},
		"an OKP private key":       {ed.with(p["Ed25519"].secret), jose.Private},
		"private, for encryption":  {ec.with(p["P-256"].secret).with(jwk{"use": "enc"}), jose.Private},
		"private and broken":       {ec.with(p["P-256"].secret).with(jwk{"y": nil}), jose.Private},
	} {
		t.Run(name, func(t *testing.T) {
			for _, members := range [][]any{{test.member, other}, {other, test.member}} {
				s, err := jose.ParseSet(set(members...))
				require.NoError(t, err)
				require.Len(t, s.Unused(), 1)
				require.Equal(t, test.want, s.Unused()[0].Kind)
				require.Len(t, s.Keys(), 1)
				_, err = s.Find("ES384", "good")
				require.NoError(t, err)
			}
			s, err := jose.ParseSet(set(test.member))
			require.ErrorContains(t, err, "no usable key")
			require.ErrorContains(t, err, string(test.want))
			require.Empty(t, s.Keys())
		})
	}
}

// bits returns a number of so many bits.
func bits(n int) *big.Int { return new(big.Int).SetBit(big.NewInt(1), n-1, 1) }

// TestUsableMembers: keys with unusual, harmless members are used.
func TestUsableMembers(t *testing.T) {
	p := pairs()
	ec, rs, ed := p["P-256"].public, p["RSA"].public, p["Ed25519"].public
	for name, test := range map[string]struct {
		member jwk
		alg    string
	}{
		"nothing but the key":             {jwk{"kty": "EC", "crv": "P-256", "x": ec["x"], "y": ec["y"]}, "ES256"},
		"key_ops verify":                  {ec.with(jwk{"key_ops": []string{"verify"}, "ext": true}), "ES256"},
		"a broken certificate, unread":    {rs.with(jwk{"x5c": []string{"!"}, "x5t": "!", "x5u": "http://evil.example"}), "RS256"},
		"a member that is unknown":        {rs.with(jwk{"issuer": "https://login.example/", "x": map[string]any{"y": 1}}), "RS256"},
		"Ed25519 for EdDSA":               {ed.with(jwk{"alg": "Ed25519"}), "EdDSA"},
		"EdDSA for Ed25519":               {ed.with(jwk{"alg": "EdDSA"}), "Ed25519"},
		"PS256 alone":                     {rs.with(jwk{"alg": "PS256"}), "PS256"},
		"an exponent of 3":                {rsaJWK("RSA", bits(2048), big.NewInt(3)), "RS256"},
		"padded base64":                   {ed.with(jwk{"x": ed["x"].(string) + "="}), "EdDSA"},
		"the longest modulus":             {rsaJWK("RSA", bits(8192), big.NewInt(65537)), "RS512"},
		"a name that differs in its case": {ec.with(jwk{"USE": "enc", "Kid": 7, "D": "x"}), "ES256"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := jose.ParseSet(set(test.member))
			require.NoError(t, err)
			require.Empty(t, s.Unused())
			kid, _ := test.member["kid"].(string)
			_, err = s.Find(test.alg, kid)
			require.NoError(t, err)
		})
	}
}

// TestSets: a text that is no set, or a set over the limits, is an error that says so.
func TestSets(t *testing.T) {
	ec := pairs()["P-256"].public
	unusable := make([]any, 1001)
	for i := range unusable {
		unusable[i] = mlDSA()
	}
	for name, test := range map[string]struct {
		set  []byte
		want string
	}{
		"empty": {nil, "not a JWKS"}, "no JSON": {[]byte("<html>"), "not a JWKS"}, "null": {[]byte("null"), "not a JWKS"}, "a list": {[]byte("[]"), "not a JWKS"},
		"keys null": {[]byte(`{"keys":null}`), "list keys"}, "keys an object": {[]byte(`{"keys":{}}`), "list keys"}, "KEYS": {[]byte(`{"KEYS":[]}`), "list keys"},
		"truncated": {set(ec)[:60], "not a JWKS"}, "no keys": {set(), "it is empty"},
		"65 keys": {set(many(65)...), "65 keys for signatures, of 64"}, "1001 members": {set(unusable...), "1001 members, of 1000"},
		"ML-DSA alone":  {set(mlDSA()), `of an unknown kty ("AKP")`},
		"four unusable": {set(mlDSA(), mlDSA(), mlDSA(), mlDSA()), "and 1 more"},
		"huge names":    {set(jwk{"kty": strings.Repeat("x", 100_000), "kid": strings.Repeat("y", 100_000)}), "unknown kty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jose.ParseSet(test.set)
			require.ErrorContains(t, err, test.want)
			require.Less(t, len(err.Error()), 600)
		})
	}
	for name, good := range map[string][]byte{
		"64 keys": set(many(64)...), "64 keys among others": set(append(many(64), unusable[:900]...)...), "one JWK": set(ec)[len(`{"keys":[`) : len(set(ec))-2],
		"other members": fmt.Appendf(nil, `{"issuer":"x","keys":%s,"next":1}`, set(ec)[len(`{"keys":`):len(set(ec))-1]),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jose.ParseSet(good)
			require.NoError(t, err)
		})
	}
}

// TestPublishedPrivateKey: whoever has read the set can sign with a private key in it, so its public half is not used
// either, under any kid.
func TestPublishedPrivateKey(t *testing.T) {
	p := pairs()
	ec := p["P-256"].public
	private := ec.with(p["P-256"].secret)
	for name, members := range map[string][]any{
		"private first": {private, ec.with(jwk{"kid": "twin"}), p["RSA"].public}, "private last": {ec.with(jwk{"kid": "twin"}), p["RSA"].public, private},
		"private for another use": {private.with(jwk{"use": "enc"}), ec.with(jwk{"kid": "twin"}), p["RSA"].public},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := jose.ParseSet(set(members...))
			require.NoError(t, err)
			for _, kid := range []string{"", "twin", "P-256"} {
				_, err = s.Find("ES256", kid)
				require.Error(t, err, kid)
			}
			_, err = s.Find("RS256", "RSA")
			require.NoError(t, err)
			require.True(t, s.Unused()[0].Secret())
			require.NotContains(t, fmt.Sprint(s.Unused()), p["P-256"].secret["d"])
		})
	}
}

// TestDuplicates: a key that occurs twice is one key; of two keys with one kid, none is chosen.
func TestDuplicates(t *testing.T) {
	p := pairs()
	ec := p["P-256"].public
	s, err := jose.ParseSet(set(ec, ec, ec.with(jwk{"use": "sig"})))
	require.NoError(t, err)
	require.Len(t, s.Keys(), 1)
	s, err = jose.ParseSet(set(p["RSA"].public.with(jwk{"kid": "k"}), rsaJWK("k", bits(2048), big.NewInt(65537)), ec.with(jwk{"kid": "k"})))
	require.NoError(t, err)
	_, err = s.Find("RS256", "k")
	require.Error(t, err)
	_, err = s.Find("ES256", "k")
	require.NoError(t, err, "of another kind")
}

// TestUnusedIsOneBoundedLine: the text for the log is printable, whatever names an issuer's keys have.
func TestUnusedIsOneBoundedLine(t *testing.T) {
	s, err := jose.ParseSet(set(pairs()["RSA"].public, jwk{"kty": "\n\u202e" + strings.Repeat("k", 1000), "kid": "\x1b[31m\n" + strings.Repeat("ы", 1000)}))
	require.NoError(t, err)
	line := s.Unused()[0].String()
	require.Less(t, len(line), 700)
	for _, r := range line {
		require.True(t, r >= ' ' && r < 0x7f, "%q", line)
	}
}

// FuzzParseSet: a good key is found beside any other member, and every key of a set fits an algorithm.
func FuzzParseSet(f *testing.F) {
	good := pairs()["P-521"].public.with(jwk{"kid": "good"})
	for _, k := range pairs() {
		b, err := json.Marshal(k.public)
		must(err)
		f.Add(string(b))
		b, err = json.Marshal(k.public.with(k.secret))
		must(err)
		f.Add(string(b))
	}
	f.Add(`{"kty":"AKP","pub":"AA"}`)
	f.Add(`{"kty":"RSA","n":"AQ","e":"AQAB"},null,[]`)
	f.Fuzz(func(t *testing.T, members string) {
		b, err := json.Marshal(good)
		must(err)
		s, err := jose.ParseSet([]byte(`{"keys":[` + string(b) + `,` + members + `]}`))
		if err != nil {
			return // it is no JSON, or has too many members
		}
		for _, l := range s.Unused() {
			require.Less(t, len(l.String()), 1500)
		}
		for _, k := range s.Keys() {
			fits := false
			for _, alg := range jose.Algorithms {
				fits = fits || k.Fits(alg)
			}
			require.True(t, fits)
		}
		if strings.Contains(members, good["x"].(string)) || strings.Contains(members, "good") || strings.Contains(members, `\u`) {
			return
		}
		_, err = s.Find("ES512", "good")
		require.NoError(t, err)
	})
}
