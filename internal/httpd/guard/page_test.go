package guard_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/httpd/guard"
)

// TestFromOwnPage: the Origin must be the gateway's own, exactly and once, and Sec-Fetch-Site must not deny it.
func TestFromOwnPage(t *testing.T) {
	const own = "https://vault.example"
	for name, test := range map[string]struct {
		own     string
		headers map[string][]string
		want    bool
	}{
		"own":                         {own, map[string][]string{"Origin": {own}}, true},
		"own, same-origin":            {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"same-origin"}}, true},
		"own with a port":             {"https://vault.example:8443", map[string][]string{"Origin": {"https://vault.example:8443"}}, true},
		"none":                        {own, nil, false},
		"none, same-origin":           {own, map[string][]string{"Sec-Fetch-Site": {"same-origin"}}, false},
		"own, same-site":              {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"same-site"}}, false},
		"own, cross-site":             {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"cross-site"}}, false},
		"own, none":                   {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"none"}}, false},
		"own, in capitals":            {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"Same-Origin"}}, false},
		"own, twice same-origin":      {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"same-origin", "same-origin"}}, false},
		"own, a list":                 {own, map[string][]string{"Origin": {own}, "Sec-Fetch-Site": {"same-origin, cross-site"}}, false},
		"twice":                       {own, map[string][]string{"Origin": {own, own}}, false},
		"two":                         {own, map[string][]string{"Origin": {own, "https://app.example"}}, false},
		"a list of Origins":           {own, map[string][]string{"Origin": {own + " https://app.example"}}, false},
		"empty":                       {own, map[string][]string{"Origin": {""}}, false},
		"null":                        {own, map[string][]string{"Origin": {"null"}}, false},
		"capitals":                    {own, map[string][]string{"Origin": {"https://Vault.example"}}, false},
		"default port":                {own, map[string][]string{"Origin": {own + ":443"}}, false},
		"a slash":                     {own, map[string][]string{"Origin": {own + "/"}}, false},
		"http":                        {own, map[string][]string{"Origin": {"http://vault.example"}}, false},
		"a longer host":               {own, map[string][]string{"Origin": {own + ".example"}}, false},
		"a sibling":                   {own, map[string][]string{"Origin": {"https://app.example"}}, false},
		"X-Forwarded-Host":            {own, map[string][]string{"Origin": {"https://app.example"}, "X-Forwarded-Host": {"app.example"}}, false},
		"no own origin, none":         {"", nil, false},
		"no own origin, empty Origin": {"", map[string][]string{"Origin": {""}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "https://vault.example/graphql", nil)
			for k, v := range test.headers {
				r.Header[k] = v
			}
			require.Equal(t, test.want, guard.FromOwnPage(r, test.own))
		})
	}
}
