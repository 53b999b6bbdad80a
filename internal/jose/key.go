package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// maxQuoted limits a text that is quoted from a set, in bytes.
const maxQuoted = 64

// member is a JWK (RFC 7517, section 4); its names are case-sensitive.
type member map[string]json.RawMessage

// material has, for each kty, the members of a public key (RFC 7518, section 6; RFC 8037, section 2), and the members that
// only a private key has.
var material = map[string]struct{ public, private []string }{
	"EC":  {[]string{"crv", "x", "y"}, []string{"d"}},
	"OKP": {[]string{"crv", "x"}, []string{"d"}},
	"RSA": {[]string{"n", "e"}, []string{"d", "p", "q", "dp", "dq", "qi", "oth"}},
}

// parseKey returns a usable key, or the reason why the key isn't usable. A private key is returned beside the reason, to
// identify its public half.
func parseKey(raw []byte) (*Key, *Unused) {
	var m member
	// Parsers differ in how they read repeated names (section 4).
	if !jsontext.Value(raw).IsValid() || json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, &Unused{Kind: Malformed}
	}
	kid, ok := m.text("kid")
	if !ok {
		return nil, &Unused{Kind: Malformed, Detail: "kid"}
	}
	unused := func(kind Kind, detail string) *Unused { return &Unused{bounded(kid), kind, bounded(detail)} }
	kty, ok := m.text("kty")
	parts, known := material[kty]
	switch {
	case !ok || kty == "":
		return nil, unused(Malformed, "kty")
	case kty == "oct":
		return nil, unused(Symmetric, "")
	case !known:
		return nil, unused(UnknownType, kty)
	}
	k := &Key{ID: kid}
	kind, detail := k.read(m, kty, parts.public)
	if slices.ContainsFunc(parts.private, func(name string) bool { return m[name] != nil }) {
		if kind != "" {
			k = nil
		}
		return k, unused(Private, "")
	}
	if kind == "" {
		kind, detail = k.purpose(m)
	}
	if kind != "" {
		return nil, unused(kind, detail)
	}
	return k, nil
}

// purpose reads what the key may be used for (RFC 7517, sections 4.2 to 4.4).
func (k *Key) purpose(m member) (Kind, string) {
	if use, ok := m.text("use"); !ok || m["use"] != nil && use != "sig" {
		return OtherUse, "use"
	}
	if raw, ok := m["key_ops"]; ok {
		var ops []string
		if json.Unmarshal(raw, &ops) != nil || !slices.Contains(ops, "verify") {
			return OtherUse, "key_ops"
		}
	}
	alg, ok := m.text("alg")
	if !ok || m["alg"] != nil && alg == "" {
		return Malformed, "alg"
	}
	k.Algorithm = Canonical(alg)
	if alg != "" && algorithms[k.Algorithm] == nil {
		return UnknownAlg, alg
	}
	for name, fits := range algorithms {
		if (k.Algorithm == "" || name == k.Algorithm) && fits(k.Public) {
			return "", ""
		}
	}
	return UnknownAlg, alg // the algorithm does not fit the key
}

// read decodes the public key itself. It ignores certificates and URLs beside the key.
func (k *Key) read(m member, kty string, names []string) (Kind, string) {
	alone := map[string]string{"kty": kty}
	for _, name := range names {
		text, ok := m.text(name)
		if !ok || text == "" {
			return Malformed, name
		}
		alone[name] = text
	}
	if crv := alone["crv"]; crv != "" && !slices.Contains([]string{"P-256", "P-384", "P-521", "Ed25519"}, crv) {
		return UnknownCrv, crv
	}
	if e := alone["e"]; e != "" && !validExponent(e) {
		return Weak, "e"
	}
	b, err := json.Marshal(alone)
	if err != nil {
		return Malformed, ""
	}
	parsed, err := jwk.ParseKey(b)
	if err != nil {
		return Malformed, ""
	}
	var public any
	if err := parsed.Raw(&public); err != nil {
		return Malformed, ""
	}
	if kind := checkKey(public); kind != "" {
		return kind, ""
	}
	print, err := parsed.Thumbprint(crypto.SHA256)
	if err != nil {
		return Malformed, ""
	}
	k.Public, k.Thumbprint = public, Thumbprint(print)
	return "", ""
}

// checkKey returns why the decoded key is not usable, or "".
func checkKey(public any) Kind {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if _, err := public.Bytes(); err != nil {
			return OffCurve
		}
		return ""
	case *rsa.PublicKey:
		if !isRSA(public) {
			return Weak
		}
		return ""
	case ed25519.PublicKey:
		if len(public) == ed25519.PublicKeySize {
			return ""
		}
	}
	return Malformed
}

// validExponent accepts odd exponents from 3 that fit 31 bits. With 1 anybody can make signatures, and an exponent that does
// not fit an int would be cut to another one.
func validExponent(text string) bool {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	for err == nil && len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	if err != nil || len(b) == 0 || len(b) > 4 || len(b) == 4 && b[0] >= 0x80 {
		return false
	}
	return b[len(b)-1]&1 == 1 && (len(b) > 1 || b[0] >= 3)
}

// text returns a member that is a string, "" if it is absent, and false if it is something else.
func (m member) text(name string) (string, bool) {
	raw, ok := m[name]
	if !ok {
		return "", true
	}
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

func bounded(s string) string {
	if len(s) > maxQuoted {
		return strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return s
}
