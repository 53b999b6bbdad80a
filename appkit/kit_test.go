package appkit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/appkit"
)

func TestNewNamesEveryBadOption(t *testing.T) {
	_, err := appkit.New(appkit.Options{})
	for _, name := range []string{"Issuer", "Audience", "Keys", "Session"} {
		require.ErrorContains(t, err, name)
	}
	require.NotContains(t, err.Error(), "ApplicationSubject", "this option has a default")
}

func TestNewRefusesABadOption(t *testing.T) {
	keys, err := appkit.NewKeys(newKey(t))
	require.NoError(t, err)
	bad := map[string]func(*appkit.Options){
		"SessionTokenTTL":     func(o *appkit.Options) { o.SessionTokenTTL = 2 * time.Hour },
		"ApplicationTokenTTL": func(o *appkit.Options) { o.ApplicationTokenTTL = -time.Second },
		"ApplicationSubject":  func(o *appkit.Options) { o.ApplicationSubject = "\xff" },
		"Audience":            func(o *appkit.Options) { o.Audience = "gateway.example" },
	}
	for _, address := range []string{
		"/path", "ftp://a.example", "https://a.example/", "https://u:p@a.example",
		"https://a.example?x", "https://a.example#", "https://", "https://:80", "https://bücher.example", "::",
	} {
		bad["Issuer "+address] = func(o *appkit.Options) { o.Issuer = address }
	}
	for _, origin := range []string{
		"*", "null", "", "https://a.example/", "https://A.example", "https://a.example:443", "http://a.example:80",
		"https://*.example", "a.example", "file://a", "https://u@a.example", "https://a.example?", "https://a.example:",
		"https://a.example;script-src", "https://a.example,b", "https://a'b.example", "https://a.example x",
	} {
		bad["AllowedOrigins "+origin] = func(o *appkit.Options) { o.AllowedOrigins = []string{origin} }
	}
	for name, change := range bad {
		t.Run(name, func(t *testing.T) {
			options := appkit.Options{Issuer: issuer, Audience: audience, Keys: keys, Session: cookieSession}
			change(&options)
			_, err := appkit.New(options)
			require.Error(t, err)
			require.Contains(t, err.Error(), firstWord(name))
		})
	}
}

func firstWord(name string) string {
	for i, r := range name {
		if r == ' ' {
			return name[:i]
		}
	}
	return name
}

func TestOwnOriginIsTheIssuersWhateverItsSpelling(t *testing.T) {
	kit := newKit(t, func(o *appkit.Options) { o.Issuer = "https://App.example:443/clinic" })
	answer := send(kit, "POST", sessionURL, map[string]string{"Origin": "https://app.example", "Cookie": "login=a"})
	require.Equal(t, 200, answer.Code, answer.Body)
}
