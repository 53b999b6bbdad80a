package gateway

import (
	"encoding/json"
	"time"
)

type provider struct {
	heading string
	signer  func() *signer
	typ     string
	claims  claimSet // iss, and the other claims of the documentation; times are added
	life    time.Duration
	session string   // the expected session id
	login   claimSet // claims that differ at another login of the user
	// otherwise are tokens of the provider for another purpose, by name.
	otherwise map[string]claimSet
}

// providers lists the providers' tokens as the vendors document them.
func providers() []provider {
	at := time.Now().Unix()
	auth0 := claimSet{"iss": "https://example.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": "vK2cXExampleClientId", "sid": "Zx9tGVKkYy4", "nonce": "n-0S6_WzA2Mj",
		"name": "Jane Doe", "email": "jane@example.com", "email_verified": true, "updated_at": "2026-05-04T10:00:00.000Z"}
	auth0Access := claimSet{"iss": "https://example.eu.auth0.com/", "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": []string{"https://cloakroom.example.org", "https://example.eu.auth0.com/userinfo"},
		"azp": "vK2cXExampleClientId", "scope": "openid profile", "https://www.example.org/sid": "Zx9tGVKkYy4"}
	const entraIss = "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0"
	entra := claimSet{"iss": entraIss, "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "ver": "2.0", "tid": "9122040d-6c67-4c5b-b112-36a304b66dad", "oid": "00000000-0000-0000-66f3-3332eca7ea81",
		"sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "sid": "24ddb1c1-ae1a-4ae1-9fd5-9b3fcbd3b9b3", "nbf": at, "uti": "fqiBqXLPj0eQa82S-IYFAA", "rh": "0.AXoA",
		"name": "Abe Lincoln", "preferred_username": "abeli@example.com"}
	const pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_ExaMple12"
	cognito := claimSet{"iss": pool, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "aud": "1example23456789abcdefghij", "token_use": "id", "auth_time": at, "origin_jti": "aaaaaaaa-1111-2222-3333",
		"event_id": "64f513be", "jti": "11111111", "cognito:username": "janedoe", "email": "janedoe@example.com", "email_verified": true}
	cognitoAccess := claimSet{"iss": pool, "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "client_id": "1example23456789abcdefghij", "token_use": "access", "scope": "phone openid", "auth_time": at,
		"origin_jti": "aaaaaaaa-1111-2222-3333", "event_id": "64f513be", "jti": "22222222", "username": "janedoe", "version": 2}
	keycloak := claimSet{"iss": "https://login.example.org/realms/shop", "aud": "shop-web", "sub": "f:1:jane", "typ": "ID", "azp": "shop-web", "sid": "bfb4f0b3-3ab9", "auth_time": at, "jti": "onrtac:1",
		"acr": "1", "at_hash": "x", "preferred_username": "jane"}
	keycloakAccess := claimSet{"iss": "https://login.example.org/realms/shop", "aud": []string{"https://cloakroom.example.org", "account"}, "sub": "f:1:jane", "typ": "Bearer", "azp": "shop-web", "sid": "bfb4f0b3-3ab9",
		"jti": "onrtac:2", "acr": "1", "allowed-origins": []string{"https://www.example.org"}, "scope": "openid email"}
	okta := claimSet{"iss": "https://example.okta.com/oauth2/default", "ver": 1, "sub": "00uid4BxXw6I6TV4m0g3", "aud": "0oa1exampleClientId", "jti": "ID.4eAWJOCMB3SX8XewDfVR", "amr": []string{"pwd"},
		"idp": "00ok1u7AsAkrwdZL3z0g3", "auth_time": 1767225600, "at_hash": "x", "preferred_username": "jane@example.com"}
	oktaAccess := claimSet{"iss": "https://example.okta.com/oauth2/default", "ver": 1, "sub": "jane@example.com", "aud": "api://cloakroom", "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
		"cid": "0oa1exampleClientId", "uid": "00uid4BxXw6I6TV4m0g3", "scp": []string{"openid"}, "auth_time": 1767225600}
	firebase := claimSet{"iss": "https://securetoken.google.com/shop-1234", "aud": "shop-1234", "auth_time": 1767225600, "user_id": "dXFmT1", "sub": "dXFmT1", "email": "jane@example.com",
		"firebase": claimSet{"identities": claimSet{"email": []string{"jane@example.com"}}, "sign_in_provider": "password"}}
	clerk := claimSet{"iss": "https://clerk.example.org", "azp": "https://www.example.org", "sub": "user_2Nexample", "sid": "sess_123", "fva": []int{7, -1}, "v": 2, "nbf": at - 10,
		"o": claimSet{"id": "org_123", "slg": "org-slug"}}
	supabase := claimSet{"iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1", "aud": "authenticated", "sub": "123e4567-e89b-12d3-a456-426614174000", "role": "authenticated", "aal": "aal1",
		"session_id": "6f4d5c2e-1", "email": "jane@example.com", "phone": "", "is_anonymous": false, "amr": []claimSet{{"method": "password", "timestamp": at}}}
	google := claimSet{"iss": "https://accounts.google.com", "azp": "1234987819200.apps.googleusercontent.com", "aud": "1234987819200.apps.googleusercontent.com", "sub": "10769150350006150715113082367",
		"at_hash": "x", "hd": "example.com", "email": "jane@example.com", "email_verified": true, "nonce": "0394852-3190485-2490358"}
	return []provider{
		{"Auth0, ID tokens", rsaSigner, "JWT", auth0, 10 * time.Hour, "Zx9tGVKkYy4", claimSet{"sid": "other"}, map[string]claimSet{"an access token": auth0Access}},
		{"Auth0, access tokens", rsaSigner, "JWT", auth0Access, 2 * time.Hour, "Zx9tGVKkYy4", claimSet{"https://www.example.org/sid": "other"}, map[string]claimSet{
			"an ID token": auth0, "without the Action": auth0Access.with(claimSet{"https://www.example.org/sid": nil}),
			"a machine's": {"iss": auth0["iss"], "sub": "vK2c@clients", "aud": "https://cloakroom.example.org", "azp": "vK2c", "gty": "client-credentials"},
		}},
		{"Auth0, access tokens", rsaSigner, "at+jwt", auth0Access.with(claimSet{"azp": nil, "client_id": "vK2cXExampleClientId", "jti": "73WakrfVbNJBaAmhQtEeDv"}), time.Hour, "Zx9tGVKkYy4",
			claimSet{"https://www.example.org/sid": "other"}, nil},
		{"Microsoft Entra ID", rsaSigner, "JWT", entra, 90 * time.Minute, "24ddb1c1-ae1a-4ae1-9fd5-9b3fcbd3b9b3", claimSet{"sid": "other"}, map[string]claimSet{
			"of another directory": entra.with(claimSet{"iss": "https://login.microsoftonline.com/common/v2.0"}), "of version 1": entra.with(claimSet{"iss": "https://sts.windows.net/9122040d/", "ver": "1.0"}),
			"without sid": entra.with(claimSet{"sid": nil}),
		}},
		{"Amazon Cognito, ID tokens", rsaSigner, "", cognito, time.Hour, "aaaaaaaa-1111-2222-3333", claimSet{"origin_jti": "other"}, map[string]claimSet{
			"an access token": cognitoAccess, "an access token with aud": cognitoAccess.with(claimSet{"aud": cognito["aud"]}), "without origin_jti": cognito.with(claimSet{"origin_jti": nil}),
		}},
		{"Amazon Cognito, access tokens", rsaSigner, "", cognitoAccess, time.Hour, "aaaaaaaa-1111-2222-3333", claimSet{"origin_jti": "other"}, map[string]claimSet{
			"an ID token": cognito, "an ID token with client_id": cognito.with(claimSet{"client_id": cognitoAccess["client_id"]}), "an ID token without aud": cognito.with(claimSet{"aud": nil, "client_id": cognito["aud"]}),
			"another client's": cognitoAccess.with(claimSet{"client_id": "other"}),
		}},
		{"Keycloak, ID tokens", rsaSigner, "JWT", keycloak, 5 * time.Minute, "bfb4f0b3-3ab9", claimSet{"sid": "other"}, map[string]claimSet{
			"an access token": keycloakAccess, "an access token for the client": keycloakAccess.with(claimSet{"aud": "shop-web"}), "a refresh token": keycloak.with(claimSet{"typ": "Refresh"}),
		}},
		{"Keycloak, access tokens", rsaSigner, "JWT", keycloakAccess, 5 * time.Minute, "bfb4f0b3-3ab9", claimSet{"sid": "other"}, map[string]claimSet{
			"an ID token": keycloak, "without the mapper": keycloakAccess.with(claimSet{"aud": "account"}),
		}},
		{"Okta, ID tokens", rsaSigner, "", okta, time.Hour, "00uid4BxXw6I6TV4m0g3-1767225600", claimSet{"auth_time": 1767225601}, map[string]claimSet{
			"an access token": oktaAccess, "without auth_time": okta.with(claimSet{"auth_time": nil}), "with auth_time in text": okta.with(claimSet{"auth_time": []int{1767225600}}),
		}},
		{"Okta, access tokens", rsaSigner, "", oktaAccess, time.Hour, "00uid4BxXw6I6TV4m0g3-1767225600", claimSet{"auth_time": 1767225601}, map[string]claimSet{
			"an ID token": okta, "a machine's": oktaAccess.with(claimSet{"uid": nil, "auth_time": nil, "sub": "0oa1exampleClientId"}),
		}},
		{"Firebase and Identity Platform", rsaSigner, "JWT", firebase, time.Hour, "dXFmT1-1767225600", claimSet{"auth_time": 1767225601}, map[string]claimSet{
			"another project's": firebase.with(claimSet{"iss": "https://securetoken.google.com/other", "aud": "other"}), "a custom token": firebase.with(claimSet{"iss": "x@y.iam.gserviceaccount.com"}),
			"without auth_time": firebase.with(claimSet{"auth_time": nil}),
		}},
		{"Clerk", rsaSigner, "JWT", clerk, time.Minute, "sess_123", claimSet{"sid": "sess_124"}, map[string]claimSet{
			"of another page": clerk.with(claimSet{"azp": "https://evil.example"}), "without azp": clerk.with(claimSet{"azp": nil}), "with azp in a list": clerk.with(claimSet{"azp": []string{"https://www.example.org"}}),
			"pending": clerk.with(claimSet{"sts": "pending"}), "for an audience too": clerk.with(claimSet{"aud": "https://other.example"}), "for the same audience too": clerk.with(claimSet{"aud": "https://www.example.org"}),
			"with aud null": clerk.with(claimSet{"aud": json.RawMessage("null")}), "with aud empty": clerk.with(claimSet{"aud": []string{}}),
		}},
		{"Supabase", ecSigner, "JWT", supabase, time.Hour, "6f4d5c2e-1", claimSet{"session_id": "other"}, map[string]claimSet{
			"anon": supabase.with(claimSet{"role": "anon"}), "service_role": supabase.with(claimSet{"role": "service_role"}), "another project's": supabase.with(claimSet{"iss": "https://zzzz.supabase.co/auth/v1"}),
			"without session_id": supabase.with(claimSet{"session_id": nil}),
		}},
		{"Google", rsaSigner, "JWT", google, time.Hour, "10769150350006150715113082367-0394852-3190485-2490358", claimSet{"nonce": "other"}, map[string]claimSet{
			"without nonce": google.with(claimSet{"nonce": nil}), "of the legacy issuer": google.with(claimSet{"iss": "accounts.google.com"}),
		}},
	}
}
