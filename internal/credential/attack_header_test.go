package credential

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// attack is a credential that must be refused.
type attack struct{ name, jwt string }

// hmacWith signs good claims with HS256 under a key that everyone has.
func hmacWith(secret []byte, kid string) string {
	input := b64(fmt.Appendf(nil, `{"alg":"HS256","kid":%q,"typ":"JWT"}`, kid)) + "." + b64([]byte(claimsOf()))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

// algorithmAttacks have an alg that is false or not allowed.
func algorithmAttacks() (list []attack) {
	claims := b64([]byte(claimsOf()))
	for _, none := range []string{"none", "None", "NONE", "nOnE", "", " none"} {
		header := b64(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT"}`, none))
		list = append(list,
			attack{"alg " + none + " without a signature", header + "." + claims + "."},
			attack{"alg " + none + " with a signature", header + "." + claims + "." + b64([]byte("x"))})
	}
	for _, name := range []string{"es256", "rsa", "ed"} {
		der, err := x509.MarshalPKIXPublicKey(public(name))
		if err != nil {
			panic(err)
		}
		kid := map[string]string{"es256": "k1", "rsa": "k2", "ed": "k3"}[name]
		list = append(list,
			attack{"HS256 with the DER of " + name, hmacWith(der, kid)},
			attack{"HS256 with the PEM of " + name, hmacWith(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), kid)},
			attack{"HS256 with the JWK of " + name, hmacWith([]byte(publicJWK(kid, public(name))), kid)})
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(public("rsa").(*rsa.PublicKey))
	point, _ := public("es256").(*ecdsa.PublicKey).Bytes()
	list = append(list,
		attack{"HS256 with the PKCS1 PEM", hmacWith(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}), "k2")},
		attack{"HS256 with the point", hmacWith(point, "k1")},
		attack{"HS256 with nothing", hmacWith(nil, "k1")},
		attack{"HS256 with the JWKS", hmacWith(clinic().JWKS, "k1")})
	rsaKey, esKey := testKeys()["rsa"], testKeys()["es256"]
	for _, alg := range []string{"RS384", "RS512", "PS384", "PS512"} { // correctly signed, but not allowed
		list = append(list, attack{"not on the list: " + alg,
			token(alg, rsaKey, fmt.Sprintf(`{"alg":%q,"kid":"k2","typ":"JWT"}`, alg), claimsOf())})
	}
	for _, alg := range []string{"ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "RS256", "PS256", "HS256", "es256", "ES256 ", "RSA1_5", "dir"} {
		list = append(list, attack{"ES256 called " + alg, headed(fmt.Sprintf(`{"alg":%q,"kid":"k1","typ":"JWT"}`, alg))})
	}
	return append(list,
		attack{"RS256 called PS256", token("RS256", rsaKey, `{"alg":"PS256","kid":"k2","typ":"JWT"}`, claimsOf())},
		attack{"PS256 called RS256", token("PS256", rsaKey, `{"alg":"RS256","kid":"k2","typ":"JWT"}`, claimsOf())},
		attack{"alg missing", headed(`{"kid":"k1","typ":"JWT"}`)},
		attack{"alg null", headed(`{"alg":null,"kid":"k1","typ":"JWT"}`)},
		attack{"alg a number", headed(`{"alg":256,"kid":"k1","typ":"JWT"}`)},
		attack{"alg a list", headed(`{"alg":["ES256"],"kid":"k1","typ":"JWT"}`)},
		attack{"ALG", headed(`{"ALG":"ES256","kid":"k1","typ":"JWT"}`)},
		attack{"another curve's key under this kid", token("ES384", testKeys()["es384"], `{"alg":"ES384","kid":"k1","typ":"JWT"}`, claimsOf())},
		attack{"the key of another kid", token("ES256", esKey, `{"alg":"ES256","kid":"k4","typ":"JWT"}`, claimsOf())})
}

// headerAttacks are correctly signed, or signed by an attacker's key that the header itself contains.
func headerAttacks(trap string) (list []attack) {
	header := func(member string) string { return `{"alg":"ES256","typ":"JWT",` + member + `}` }
	for name, kid := range map[string]string{
		"unknown": `"k9"`, "case": `"K1"`, "path": `"../../../../dev/null"`, "file": `"/etc/passwd"`, "SQL": `"k1' OR '1'='1"`,
		"command": `"k1;id"`, "empty": `""`, "space": `"k1 "`, "NUL": `"k1\u0000"`, "number": `1`, "null": `null`, "list": `["k1"]`,
		"object": `{"k1":1}`, "bool": `true`, "huge": `"` + strings.Repeat("k", 4000) + `"`, "URL": `"` + trap + `/kid"`,
	} {
		list = append(list, attack{"kid " + name, headed(header(`"kid":` + kid))})
	}
	mallory := testKeys()["mallory"]
	jwk := publicJWK("k1", mallory.Public())
	for name, member := range map[string]string{
		"jwk":          `"kid":"k1","jwk":` + jwk,
		"jwk, no kid":  `"jwk":` + publicJWK("", mallory.Public()),
		"jku":          `"kid":"k1","jku":"` + trap + `/jwks"`,
		"jku, own kid": `"kid":"m1","jku":"` + trap + `/jwks"`,
		"jku, ours":    `"kid":"k1","jku":"` + clinicIss + `@` + strings.TrimPrefix(trap, "http://") + `/"`,
		"x5u":          `"kid":"k1","x5u":"` + trap + `/cert"`,
		"x5c":          `"kid":"k1","x5c":["MIIB"]`,
		"x5t":          `"kid":"k1","x5t":"AAAA","x5t#S256":"AAAA"`,
		"epk":          `"kid":"k1","epk":` + jwk,
	} {
		list = append(list, attack{"a key of its own: " + name, token("ES256", mallory, header(member), claimsOf())})
	}
	for name, member := range map[string]string{
		"crit of exp": `"crit":["exp"],"exp":1`, "crit of b64": `"crit":["b64"],"b64":false`, "crit empty": `"crit":[]`,
		"crit null": `"crit":null`, "b64 false": `"b64":false`, "b64 true": `"b64":true`, "zip": `"zip":"DEF"`,
	} {
		list = append(list, attack{name, headed(header(`"kid":"k1",` + member))})
	}
	for name, typ := range map[string]string{
		"missing": ``, "at+jwt": `,"typ":"at+jwt"`, "JOSE": `,"typ":"JOSE"`, "logout": `,"typ":"logout+jwt"`, "dpop": `,"typ":"dpop+jwt"`,
		"empty": `,"typ":""`, "null": `,"typ":null`, "number": `,"typ":1`, "list": `,"typ":["JWT"]`, "application/jwt": `,"typ":"application/jwt"`,
		"space": `,"typ":"JWT "`, "Typ": `,"Typ":"JWT"`, "long s": `,"typ":"JWTſ"`,
	} {
		list = append(list, attack{"typ " + name, headed(`{"alg":"ES256","kid":"k1"` + typ + `}`)})
	}
	return append(list,
		attack{"nested JWT", token("ES256", testKeys()["es256"], header(`"kid":"k1","cty":"JWT"`), good(claimsOf()))},
		attack{"header is null", headed(`null`)},
		attack{"header is a list", headed(`[` + goodHeader + `]`)},
		attack{"header is a string", headed(`"ES256"`)},
		attack{"header is empty", headed(``)},
		attack{"alg twice", headed(`{"alg":"none","alg":"ES256","kid":"k1","typ":"JWT"}`)},
		attack{"alg twice, escaped", headed(`{"\u0061lg":"none","alg":"ES256","kid":"k1","typ":"JWT"}`)},
		attack{"kid twice", headed(`{"alg":"ES256","kid":"k9","kid":"k1","typ":"JWT"}`)},
		attack{"a name twice, nested", headed(`{"alg":"ES256","kid":"k1","typ":"JWT","x":{"a":1,"a":2}}`)},
		attack{"a name twice in a list", headed(`{"alg":"ES256","kid":"k1","typ":"JWT","x":[{"a":1,"\u0061":2}]}`)},
		attack{"header nested deep", headed(`{"alg":"ES256","kid":"k1","typ":"JWT","x":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + `}`)},
		attack{"something after the header", headed(goodHeader + `{}`)},
		attack{"a byte order mark before the header", headed("\ufeff" + goodHeader)},
		attack{"header not UTF-8", headed("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"x\":\"\xff\"}")},
		attack{"header with a comment", headed(`{"alg":"ES256",/**/"kid":"k1","typ":"JWT"}`)},
		attack{"header with a trailing comma", headed(`{"alg":"ES256","kid":"k1","typ":"JWT",}`)})
}
