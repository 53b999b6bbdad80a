package cloakroomtest_test

import (
	"fmt"
	"testing"

	"github.com/cloakroomhq/cloakroom/cloakroomtest"
	"github.com/cloakroomhq/cloakroom/grant"
)

// An application's test: its user stores a value, and a response returns the value's token to another session.
func Example() {
	var value string
	run(func(t *testing.T) {
		gw := cloakroomtest.Start(t)
		patient, doctor := gw.Session("the patient's login"), gw.Session("the doctor's login")
		token := gw.Tokenize(t, patient, "123-45-6789")

		// The application's @token runtime does this when a response returns the token to the doctor.
		_, err := gw.Grants.CreateGrants(t.Context(), doctor.ID, []grant.Request{{Tokens: []string{token}, Kinds: []grant.Kind{grant.Read}}})
		if err != nil {
			t.Fatal(err)
		}
		gw.RequireGrant(t, doctor.ID, token, grant.Read)
		gw.RequireNoGrant(t, doctor.ID, token, grant.Store)
		value = gw.Detokenize(t, doctor, token)
	})
	fmt.Println(value)
	// Output: 123-45-6789
}
