package credential

import (
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
)

// signatureAttacks have an invalid signature of the right algorithm.
func signatureAttacks() (list []attack) {
	jwt := good(claimsOf())
	cut := strings.LastIndexByte(jwt, '.')
	input := jwt[:cut]
	sig, _ := base64.RawURLEncoding.DecodeString(jwt[cut+1:])
	add := func(name string, sig []byte) {
		list = append(list, attack{"signature " + name, input + "." + b64(sig)})
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	n := elliptic.P256().Params().N
	raw := func(r, s *big.Int) []byte { return rawSignature(elliptic.P256(), r, s) }
	der, _ := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	zero := new(big.Int)
	add("as DER", der)
	add("of zeros", make([]byte, 64))
	add("with r zero", raw(zero, s))
	add("with s zero", raw(r, zero))
	add("with r = n", raw(n, s))
	add("with s = n", raw(r, n))
	add("of ones", raw(big.NewInt(1), big.NewInt(1)))
	add("swapped", raw(s, r))
	add("truncated", sig[:63])
	add("cut in half", sig[:32])
	add("of one byte", sig[:1])
	add("with a byte more", append(sig[:64:64], 0))
	add("padded", append(append(make([]byte, 1), sig[:32]...), append(make([]byte, 1), sig[32:]...)...))
	add("twice", append(sig[:64:64], sig...))
	for _, i := range []int{0, 31, 32, 63} {
		flipped := append([]byte{}, sig...)
		flipped[i] ^= 1
		add(fmt.Sprintf("with byte %d flipped", i), flipped)
	}
	other := good(claimsOf("sid", `"session-2"`))
	add("of another JWT", mustB64(other[strings.LastIndexByte(other, '.')+1:]))
	ps := token("ES256", testKeys()["mallory"], goodHeader, claimsOf())
	add("by another key", mustB64(ps[strings.LastIndexByte(ps, '.')+1:]))
	// Over the decoded parts, and with the separator left out.
	add("over the decoded parts", sign("ES256", testKeys()["es256"], goodHeader+"."+claimsOf()))
	add("over the claims alone", sign("ES256", testKeys()["es256"], input[strings.IndexByte(input, '.')+1:]))
	rsaJWT := token("RS256", testKeys()["rsa"], `{"alg":"RS256","kid":"k2","typ":"JWT"}`, claimsOf())
	rsaCut := strings.LastIndexByte(rsaJWT, '.')
	rsaSig := mustB64(rsaJWT[rsaCut+1:])
	edJWT := token("EdDSA", testKeys()["ed"], `{"alg":"EdDSA","kid":"k3","typ":"JWT"}`, claimsOf())
	edCut := strings.LastIndexByte(edJWT, '.')
	edSig := mustB64(edJWT[edCut+1:])
	// S + L is the same scalar in another encoding (RFC 8032, section 5.1.7).
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	scalar := new(big.Int).Add(new(big.Int).SetBytes(reversed(edSig[32:])), order)
	malleable := append(append([]byte{}, edSig[:32]...), reversed(scalar.FillBytes(make([]byte, 32)))...)
	return append(list,
		attack{"RSA signature with a zero before it", rsaJWT[:rsaCut+1] + b64(append([]byte{0}, rsaSig...))},
		attack{"RSA signature of zeros", rsaJWT[:rsaCut+1] + b64(make([]byte, 256))},
		attack{"RSA signature of one", rsaJWT[:rsaCut+1] + b64(append(make([]byte, 255), 1))},
		attack{"EdDSA signature, its scalar over the order", edJWT[:edCut+1] + b64(malleable)},
		attack{"EdDSA signature of zeros", edJWT[:edCut+1] + b64(make([]byte, 64))},
		attack{"claims changed under a signature", strings.Replace(jwt, b64([]byte(claimsOf())), b64([]byte(claimsOf("sid", `"session-2"`))), 1)},
	)
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func mustB64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// encodingAttacks encode an accepted JWT in another way.
func encodingAttacks() (list []attack) {
	// Claims that encode to a length with trailing bits, and to characters that differ between alphabets.
	claims := claimsOf("x", `"ÿþ>>>???ÿþ~~~"`)
	for len(claims)%3 != 1 {
		claims = claims[:len(claims)-1] + " }"
	}
	jwt := good(claims)
	p := strings.Split(jwt, ".")
	resigned := func(header, payload string) string { // signs the other encoding
		input := header + "." + payload
		return input + "." + b64(sign("ES256", testKeys()["es256"], input))
	}
	std := base64.RawStdEncoding.EncodeToString([]byte(claims))
	loose := p[1][:len(p[1])-1] + string(p[1][len(p[1])-1]+1) // the bits past the last byte are not zero
	if std == p[1] || !strings.ContainsAny(std, "+/") {
		panic("the claims are encoded alike in both alphabets")
	}
	add := func(name, jwt string) { list = append(list, attack{name, jwt}) }
	add("standard alphabet", p[0]+"."+std+"."+p[2])
	add("standard alphabet, signed so", resigned(p[0], std))
	add("trailing bits", p[0]+"."+loose+"."+p[2])
	add("trailing bits, signed so", resigned(p[0], loose))
	add("padding", p[0]+"."+p[1]+"==."+p[2])
	add("padding, signed so", resigned(p[0], p[1]+"=="))
	add("padded signature", jwt+"==")
	for name, s := range map[string]string{"LF": "\n", "CR": "\r", "space": " ", "tab": "\t", "NUL": "\x00", "BOM": "\ufeff", "no-break space": "\u00a0"} {
		add(name+" in the claims, signed so", resigned(p[0], p[1][:8]+s+p[1][8:]))
		add(name+" before the JWT", s+jwt)
		add(name+" after the JWT", jwt+s)
		add(name+" in the signature", jwt[:len(jwt)-4]+s+jwt[len(jwt)-4:])
	}
	add("percent-encoded", strings.ReplaceAll(jwt, ".", "%2e"))
	add("empty", "")
	add("one part", p[0])
	add("two parts", p[0]+"."+p[1])
	add("two parts and a dot", p[0]+"."+p[1]+".")
	add("four parts", jwt+".AAAA")
	add("four parts, one empty", jwt+".")
	add("five parts (JWE)", p[0]+".AAAA.AAAA.AAAA.AAAA")
	add("a JWE by its header", headed(`{"alg":"dir","enc":"A256GCM","typ":"JWT"}`)+".AAAA.AAAA")
	add("only dots", "..")
	add("dots", strings.Repeat(".", 1000))
	add("no header", "."+p[1]+"."+p[2])
	add("no claims", p[0]+".."+p[2])
	add("detached claims", token("ES256", testKeys()["es256"], goodHeader, ""))
	add("JSON serialization", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2]))
	add("general JSON serialization", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2]))
	add("unprotected header", fmt.Sprintf(`{"payload":%q,"header":{"alg":"none"},"signature":""}`, p[1]))
	add("JWT and JWT", jwt+","+jwt)
	add("quoted", `"`+jwt+`"`)
	return list
}
