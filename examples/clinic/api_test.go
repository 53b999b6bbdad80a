package clinic_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/examples/clinic"
)

func names(data any) (names []string) {
	for _, p := range data.([]any) {
		names = append(names, p.(map[string]any)["name"].(string))
	}
	return names
}

func TestADoctorSeesHerPatientsAndAPatientHimself(t *testing.T) {
	s := newStack(t)
	adams, baker, pat := s.login(t, clinic.DrAdams), s.login(t, clinic.DrBaker), s.login(t, clinic.Pat)
	ada, tokens := adams.addPatient("Ada Quill")
	_, _ = baker.addPatient("Bram Holt")

	const list = `{ patients { name } }`
	require.Equal(t, []string{"Pat Doe", "Ada Quill"}, names(adams.must(list, nil)["patients"]))
	require.Equal(t, []string{"Bram Holt"}, names(baker.must(list, nil)["patients"]))
	require.Equal(t, []string{"Pat Doe"}, names(pat.must(list, nil)["patients"]))

	const one = `query($id: ID!) { patient(id: $id) { ssn notes { body } } }`
	for _, other := range []*person{baker, pat} {
		require.Nil(t, other.must(one, map[string]any{"id": ada})["patient"])
		require.Empty(t, other.must(`{ search(text: "Ada") { __typename } }`, nil)["search"])
		token := other.tokens(1)[0]
		for _, mutation := range []string{
			`mutation($id: ID!, $token: TokenID!) { setSocialSecurityNumber(patient: $id, ssn: $token) { id } }`,
			`mutation($id: ID!, $token: TokenID!) { addDocument(patient: $id, document: {title: "x", file: $token}) { id } }`,
			`mutation($id: ID!, $token: TokenID!) { addNote(patient: $id, note: {body: $token}) { id } }`,
		} {
			r := other.ask(mutation, map[string]any{"id": ada, "token": token})
			require.Contains(t, []string{"BAD_USER_INPUT", "FORBIDDEN"}, r.code(t))
		}
		for _, token := range tokens {
			require.False(t, other.mayRead(token), "a token that the rule hides got a grant")
		}
	}
	require.Equal(t, "FORBIDDEN", pat.ask(addPatients, map[string]any{"inputs": []any{map[string]any{"name": "x"}}}).code(t))

	// Grants are created for the requested tokens, and for the calling session.
	elsewhere := s.login(t, clinic.DrAdams)
	require.False(t, elsewhere.mayRead(tokens[0]))
	require.Equal(t, tokens[0], elsewhere.must(one, map[string]any{"id": ada})["patient"].(map[string]any)["ssn"])
	require.True(t, elsewhere.mayRead(tokens[0]))
	require.True(t, elsewhere.mayRead(tokens[1]))
	require.False(t, elsewhere.mayRead(tokens[3]), "a document that was not requested got a grant")
}

func TestAPatientHandsInHisOwnNumber(t *testing.T) {
	s := newStack(t)
	adams, pat := s.login(t, clinic.DrAdams), s.login(t, clinic.Pat)
	id := pat.must(`{ patients { id } }`, nil)["patients"].([]any)[0].(map[string]any)["id"]
	token := pat.tokens(1)[0]
	const set = `mutation($id: ID!, $token: TokenID!) { setSocialSecurityNumber(patient: $id, ssn: $token) { ssn } }`
	pat.must(set, map[string]any{"id": id, "token": token})
	require.False(t, adams.mayRead(token))
	adams.must(`{ patients { ssn } }`, nil)
	require.True(t, adams.mayRead(token))
}

func TestAVisitorSeesNothing(t *testing.T) {
	s := newStack(t)
	visitor := s.visitor(t)
	for range 2 { // without a session, then with an anonymous one
		require.Nil(t, visitor.must(`{ viewer { id } }`, nil)["viewer"])
		require.Equal(t, "UNAUTHENTICATED", visitor.ask(`{ patients { name } }`, nil).code(t))
		_ = visitor.tokens(1)
	}
	// For a token in the arguments, @token itself refuses, before any resolver.
	r := s.visitor(t).ask(addPatients, map[string]any{"inputs": []any{map[string]any{"name": "x", "ssn": visitor.tokens(1)[0]}}})
	require.Equal(t, "UNAUTHENTICATED", r.code(t))
	require.Equal(t, []any{"addPatients", "inputs", 0.0, "ssn"}, r.Errors[0].Path)
}

func TestOneForeignTokenAmongValidOnesRefusesEverything(t *testing.T) {
	s := newStack(t)
	adams, foreign := s.login(t, clinic.DrAdams), s.visitor(t).tokens(1)[0]
	for place, path := range []string{
		"[addPatients inputs 1 ssn]", "[addPatients inputs 1 notes 0 body]",
		"[addPatients inputs 1 notes 0 attachments 0]", "[addPatients inputs 1 documents 0 file]",
	} {
		tokens := adams.tokens(8)
		tokens[4+place] = foreign
		inputs := []any{patientInput("A", tokens[:4]), patientInput("B", tokens[4:])}
		var r result
		creates, verifies := s.grants.calls(func() { r = adams.ask(addPatients, map[string]any{"inputs": inputs}) })
		require.Equal(t, "GRANT_REQUIRED", r.code(t))
		require.Equal(t, path, fmt.Sprint(r.Errors[0].Path))
		require.Nil(t, r.Data)
		require.Equal(t, [2]int64{0, 1}, [2]int64{creates, verifies})
	}
	require.Equal(t, []string{"Pat Doe"}, names(adams.must(`{ patients { name } }`, nil)["patients"]), "something was written")
}

func TestOneCallHoweverManyTokens(t *testing.T) {
	s := newStack(t)
	adams := s.login(t, clinic.DrAdams)
	tokens := adams.tokens(52)
	var inputs []any
	for four := range slices.Chunk(tokens, 4) {
		inputs = append(inputs, patientInput("Nested", four))
	}
	creates, verifies := s.grants.calls(func() { adams.must(addPatients, map[string]any{"inputs": inputs}) })
	require.Equal(t, [2]int64{1, 1}, [2]int64{creates, verifies}, "52 nested tokens, of which all are returned")

	baker := s.login(t, clinic.DrBaker)
	seeded := s.visitor(t).tokens(1000)
	require.NoError(t, s.clinic.Seed(t.Context(), clinic.DrBaker, seeded))
	creates, verifies = s.grants.calls(func() {
		require.Len(t, baker.must(`{ patients(first: 1000) { name ssn } }`, nil)["patients"], 1000)
	})
	require.Equal(t, [2]int64{1, 0}, [2]int64{creates, verifies})
	for _, i := range []int{0, 500, 999} {
		require.True(t, baker.mayRead(seeded[i]))
	}
	creates, verifies = s.grants.calls(func() { baker.must(`{ patients { name } viewer { name } }`, nil) })
	require.Equal(t, [2]int64{0, 0}, [2]int64{creates, verifies}, "an operation without tokens")
}

func TestTokensInUnionsGetGrants(t *testing.T) {
	s := newStack(t)
	adams := s.login(t, clinic.DrAdams)
	_, tokens := adams.addPatient("Ada Quill")
	again := s.login(t, clinic.DrAdams)
	data := again.must(`{ search(text: "quill") { __typename ... on Document { file } ... on Patient { timeline { ... on Note { body attachments } } } } }`, nil)
	require.Len(t, data["search"], 3)
	for i, want := range []bool{false, true, true, true} {
		require.Equal(t, want, again.mayRead(tokens[i]), i)
	}
}

func TestBadInputIsRefused(t *testing.T) {
	s := newStack(t)
	adams := s.login(t, clinic.DrAdams)
	long := strings.Repeat("x", 201)
	for query, variables := range map[string]map[string]any{
		`{ patients(first: 0) { id } }`:                                               nil,
		`{ patients(first: 1001) { id } }`:                                            nil,
		`{ search(text: " ") { __typename } }`:                                        nil,
		`mutation($n: String!) { addPatient(input: {name: $n}) { id } }`:              {"n": long},
		`mutation($n: String!) { addPatient(input: {name: $n, documents: []}) {id} }`: {"n": " "},
	} {
		t.Run(query, func(t *testing.T) {
			require.Equal(t, "BAD_USER_INPUT", adams.ask(query, variables).code(t), query)
		})
	}
	for _, id := range []string{"", "0", "-1", "x", "9999", "9223372036854775808"} {
		require.Nil(t, adams.must(`query($id: ID!) { patient(id: $id) { id } }`, map[string]any{"id": id})["patient"], id)
	}

	r := adams.ask(`query($id: ID!) { `+strings.Repeat(`a: patient(id: $id) { id } `, 2000)+`}`, map[string]any{"id": "1"})
	require.NotEmpty(t, r.Errors)
}
