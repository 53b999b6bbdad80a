package ids_test

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

var form = regexp.MustCompile(`\A[a-z][a-z0-9_]{0,15}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z`)

func TestNewIsValidAndUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := ids.NewToken("tok")
		if !ids.ValidToken(s.String()) || s.Prefix() != "tok" || seen[s.String()] {
			t.Fatalf("%q", s)
		}
		seen[s.String()] = true
	}
}

func FuzzParseToken(f *testing.F) {
	for _, s := range []string{
		"tok-2b58d9b2-83c1-4e9b-9692-b149112810c8", "tok-2B58d9b2-83c1-4e9b-9692-b149112810c8",
		"tok-2b58d9b2-83c1-1e9b-9692-b149112810c8", "tok-2b58d9b283c14e9b9692b149112810c8",
		"-2b58d9b2-83c1-4e9b-9692-b149112810c8", "toooooooooooooook-2b58d9b2-83c1-4e9b-9692-b149112810c8",
		"tok-{2b58d9b2-83c1-4e9b-9692-b149112810c8}", "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8\n", "", "tok-",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, ok := ids.ParseToken(s)
		if want := form.MatchString(s); ok != want || ids.ValidToken(s) != want {
			t.Fatalf("ParseToken(%q) = %v, want %v", s, ok, want)
		}
		p := ids.TokenOf(s).Prefix() // of any text
		if !ok {
			if new(ids.Token).UnmarshalText([]byte(s)) == nil {
				t.Fatalf("%q is accepted", s)
			}
			return
		}
		text, _ := token.MarshalText()
		var again ids.Token
		if err := again.UnmarshalText(text); err != nil || again != token {
			t.Fatalf("%q is not decoded to itself: %v", s, err)
		}
		u, err := uuid.Parse(s[len(p)+1:])
		if err != nil || token.String() != s || p+"-"+u.String() != s {
			t.Fatalf("%q does not re-encode to itself", s)
		}
	})
}

// TestIDsDoNotChange: databases hold these ids, so they must not change.
func TestIDsDoNotChange(t *testing.T) {
	const text = "tok-2b58d9b2-83c1-4e9b-9692-b149112810c8"
	id := ids.TokenOf(text).ID()
	if got, want := hex.EncodeToString(id[:]), "56e5f291daada5e8be5b4258ce4aaf56390237613c90ec057f45c0254600ad9f"; got != want {
		t.Fatalf("id %s, want %s", got, want)
	}
	long := strings.Repeat("x", 500)
	if ids.TokenOf(long).ID() == ids.TokenOf(long+"x").ID() {
		t.Fatal("two texts have one id")
	}
	if parsed, ok := ids.ParseToken(text); !ok || parsed != ids.TokenOf(text) {
		t.Fatal("a parsed token has another id")
	}
}

func TestScan(t *testing.T) {
	for name, src := range map[string]any{"short": make([]byte, 31), "long": make([]byte, 33), "null": nil, "text": "x"} {
		t.Run(name, func(t *testing.T) {
			if (&ids.Digest{}).Scan(src) == nil || (&ids.SessionHash{}).Scan(src) == nil {
				t.Fatal("accepted")
			}
		})
	}
	var d ids.Digest
	if err := d.Scan(bytes.Repeat([]byte{7}, 32)); err != nil || d[31] != 7 {
		t.Fatal(d, err)
	}
}
