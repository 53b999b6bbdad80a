package tokenid_test

import (
	"regexp"
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroomhq/cloakroom/internal/tokenid"
)

var form = regexp.MustCompile(`\A[a-z][a-z0-9_]{0,15}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z`)

func TestNewIsValidAndUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s, err := tokenid.New("tok")
		if err != nil || !tokenid.Valid(s) || tokenid.Prefix(s) != "tok" || seen[s] {
			t.Fatalf("%q, %v", s, err)
		}
		seen[s] = true
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range []string{
		"tok-2b58d9b2-83c1-4e9b-9692-b149112810c8", "tok-2B58d9b2-83c1-4e9b-9692-b149112810c8",
		"tok-2b58d9b2-83c1-1e9b-9692-b149112810c8", "tok-2b58d9b283c14e9b9692b149112810c8",
		"-2b58d9b2-83c1-4e9b-9692-b149112810c8", "toooooooooooooook-2b58d9b2-83c1-4e9b-9692-b149112810c8",
		"tok-{2b58d9b2-83c1-4e9b-9692-b149112810c8}", "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8\n", "", "tok-",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := tokenid.Valid(s), form.MatchString(s); got != want {
			t.Fatalf("Valid(%q) = %v, want %v", s, got, want)
		}
		if tokenid.Valid(s) {
			p := tokenid.Prefix(s)
			u, err := uuid.Parse(s[len(p)+1:])
			if err != nil || p+"-"+u.String() != s {
				t.Fatalf("%q does not re-encode to itself", s)
			}
		}
	})
}
