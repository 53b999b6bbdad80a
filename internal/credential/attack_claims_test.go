package credential

import (
	"fmt"
	"strings"
	"time"
)

// claimAttacks are correctly signed by the clinic, and have claims that must be refused.
func claimAttacks(trap string) (list []attack) {
	at := start.Unix()
	seconds := func(d time.Duration) string { return fmt.Sprint(at + int64(d/time.Second)) }
	edits := func(name string, edits ...string) { list = append(list, attack{name, good(claimsOf(edits...))}) }
	raw := func(name, payload string) { list = append(list, attack{name, good(payload)}) }

	for name, v := range map[string]string{
		"missing": "", "null": "null", "a string": `"` + seconds(time.Minute) + `"`, "empty": `""`, "true": "true", "a list": "[" + seconds(time.Minute) + "]",
		"negative": "-1", "zero": "0", "huge": "1e400", "past the year 9999": "253402300800", "1e300": "1e300", "NaN": `"NaN"`, "an object": "{}",
		"over the lifetime": seconds(time.Hour + time.Second), "in milliseconds": fmt.Sprint((at + 60) * 1000), "RFC 3339": `"2026-05-04T10:10:00Z"`,
	} {
		edits("exp "+name, "exp", v)
	}
	for name, v := range map[string]string{
		"now": fmt.Sprint(at), "now, as a float": fmt.Sprintf("%d.0", at), "a moment ago": fmt.Sprintf("%d.999", at-1), "past": seconds(-time.Second),
	} {
		edits("exp "+name, "exp", v, "iat", seconds(-time.Minute))
	}
	for name, v := range map[string]string{
		"missing": "", "null": "null", "a string": `"` + seconds(0) + `"`, "ahead": seconds(6 * time.Second), "far ahead": seconds(9 * time.Minute),
		"negative": "-1", "zero": "0", "1e400": "1e400", "long ago": seconds(-time.Hour),
	} {
		edits("iat "+name, "iat", v)
	}
	edits("iat after exp", "iat", seconds(4*time.Second), "exp", seconds(3*time.Second))
	edits("iat = exp", "iat", seconds(3*time.Second), "exp", seconds(3*time.Second))
	for name, v := range map[string]string{
		"ahead": seconds(6 * time.Second), "far ahead": seconds(time.Hour), "null": "null", "a string": `"0"`, "negative": "-1", "1e400": "1e400", "true": "true",
	} {
		edits("nbf "+name, "nbf", v)
	}
	for name, v := range map[string]string{
		"missing": "", "null": "null", "empty": `""`, "empty list": `[]`, "a list without ours": `["https://a.example","https://b.example"]`,
		"another": `"https://other.example"`, "with a slash": `"` + ours + `/"`, "in capitals": `"` + strings.ToUpper(ours) + `"`, "a number": "1",
		"an object": `{"` + ours + `":true}`, "a prefix": `"` + ours[:len(ours)-1] + `"`, "longer": `"` + ours + `.evil.example"`, "by http": `"http://gateway.example"`,
		"with a port": `"` + ours + `:443"`, "a list of lists": `[["` + ours + `"]]`, "a list with a number": `["` + ours + `",1]`,
		"a list with null": `["` + ours + `",null]`, "two in a string": `"` + ours + ` https://b.example"`, "a pattern": `"*"`,
	} {
		edits("aud "+name, "aud", v)
	}
	for name, v := range map[string]string{
		"missing": "", "null": "null", "empty": `""`, "another issuer's": `"` + bankIss + `"`, "foreign": `"https://evil.example"`, "a number": "1",
		"a list": `["` + clinicIss + `"]`, "with a slash": `"` + clinicIss + `/"`, "in capitals": `"` + strings.ToUpper(clinicIss) + `"`,
		"with NUL": `"` + clinicIss + `\u0000"`, "with a user": `"https://clinic.example@evil.example"`, "the trap": `"` + trap + `"`, "the tenant's name": `"clinic"`,
	} {
		edits("iss "+name, "iss", v)
	}
	for _, claim := range []string{"sub", "sid"} {
		for name, v := range map[string]string{
			"missing": "", "null": "null", "empty": `""`, "a number": "1", "true": "true", "a list": `["a"]`, "an object": `{"a":1}`,
			"with NUL": `"a\u0000b"`, "with LF": `"a\nb"`, "with DEL": `"a\u007f"`, "with NEL": `"a\u0085"`, "huge": `"` + strings.Repeat("s", 1025) + `"`,
			"with half a surrogate": `"a\ud800"`,
		} {
			edits(claim+" "+name, claim, v)
		}
	}
	for name, v := range map[string]string{
		"a string": `"application"`, "a number": "1", "an object": `{"application":true}`, "nested": `[["application"]]`, "null": "null",
		"with a number": `["application",1]`, "with null": `["application",null]`, "with an object": `[{"name":"admin"}]`,
	} {
		edits("roles "+name, "roles", v)
	}
	// Roles that resemble known ones leave the caller a session, and these JWTs have no session id.
	for _, role := range []string{"Application", "ADMIN", "application ", "admin,application", "applicatıon", "admin\\u0000", ""} {
		edits("role "+role, "roles", `["`+role+`"]`, "sid", "")
	}
	edits("Roles", "Roles", `["application"]`, "sid", "")
	edits("role", "role", `"application"`, "sid", "")
	edits("realm_access", "realm_access", `{"roles":["application"]}`, "sid", "")
	for _, claim := range []string{"iss", "aud", "sub", "iat", "exp", "sid"} {
		value := map[string]string{"iss": `"` + clinicIss + `"`, "aud": `"` + ours + `"`, "sub": `"u"`, "iat": seconds(0), "exp": seconds(time.Minute), "sid": `"s"`}[claim]
		edits(strings.ToUpper(claim), claim, "", strings.ToUpper(claim), value)
		edits(strings.ToUpper(claim[:1])+claim[1:], claim, "", strings.ToUpper(claim[:1])+claim[1:], value)
		members := strings.TrimSuffix(claimsOf(), "}")
		raw(claim+" twice", members+`,"`+claim+`":`+value+`}`)
		raw(claim+" twice, escaped", members+fmt.Sprintf(`,"\u%04x%s":%s}`, claim[0], claim[1:], value))
	}
	members := strings.TrimSuffix(claimsOf(), "}")
	raw("a name twice, nested", members+`,"x":{"y":{"a":1,"a":1}}}`)
	raw("a name twice in a list", members+`,"x":[1,{"a":1,"\u0061":1}]}`)
	raw("nested deep", members+`,"x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)+`}`)
	raw("objects nested deep", members+`,"x":`+strings.Repeat(`{"a":`, 400)+"1"+strings.Repeat("}", 400)+`}`)
	raw("claims are a list", "["+claimsOf()+"]")
	raw("claims are a string", `"`+clinicIss+`"`)
	raw("claims are null", "null")
	raw("claims are true", "true")
	raw("claims are empty", "{}")
	raw("claims are no JSON", "iss="+clinicIss)
	raw("two objects", claimsOf()+claimsOf())
	raw("something after the claims", claimsOf()+"x")
	raw("a byte order mark before the claims", "\ufeff"+claimsOf())
	raw("claims not UTF-8", members+",\"x\":\"\xc3\x28\"}")
	raw("claims in UTF-16", "{\x00}\x00")
	raw("a raw line break in a string", members+",\"x\":\"a\nb\"}")
	raw("unended", members)
	return append(list,
		attack{"this issuer's claims, signed by another", token("ES256", testKeys()["bank"], `{"alg":"ES256","kid":"b1","typ":"JWT"}`, claimsOf())},
		attack{"this issuer's claims and kid, signed by another", token("ES256", testKeys()["bank"], goodHeader, claimsOf())},
		attack{"another's claims and kid, signed by this issuer", token("ES256", testKeys()["es256"], `{"alg":"ES256","kid":"b1","typ":"JWT"}`, claimsOf("iss", `"`+bankIss+`"`))},
		attack{"another's claims, no kid, signed by this issuer", token("ES256", testKeys()["es256"], `{"alg":"ES256","typ":"JWT"}`, claimsOf("iss", `"`+bankIss+`"`))})
}
