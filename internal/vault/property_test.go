package vault_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

// reference is the simplest implementation of tokens and grants, in memory.
type reference struct {
	tokens map[ids.Token]*refToken
	grants map[refGrant]time.Time // ends
}

type refToken struct {
	tenant string
	ends   time.Time // zero: never
	gone   bool
}

type refGrant struct {
	tenant, session string
	token           ids.Token
	kind            ids.Kind
}

func (r *reference) alive(tenant string, token ids.Token, now time.Time) bool {
	t := r.tokens[token]
	return t != nil && t.tenant == tenant && !t.gone && (t.ends.IsZero() || now.Before(t.ends))
}

func (r *reference) holds(g refGrant, now time.Time) bool {
	return r.alive(g.tenant, g.token, now) && now.Before(r.grants[g])
}

func (r *reference) grant(g refGrant, until time.Time) time.Time {
	if t := r.tokens[g.token]; !t.ends.IsZero() && t.ends.Before(until) {
		until = t.ends
	}
	if until.After(r.grants[g]) {
		r.grants[g] = until
	}
	return r.grants[g]
}

// create creates the grants of one request, and returns its result.
func (r *reference) create(tenant, session string, request *vault.GrantRequest, now time.Time) (granted vault.Granted) {
	life := 15 * time.Minute
	if request.Duration != nil {
		life = *request.Duration
	}
	for _, token := range request.Tokens {
		if !r.alive(tenant, token, now) {
			granted.Missing = append(granted.Missing, token)
			continue
		}
		for _, k := range bothKinds {
			if request.Kinds&k == 0 {
				continue
			}
			end := r.grant(refGrant{tenant, session, token, k}, now.Add(life))
			if granted.ExpiresAt == nil || end.Before(*granted.ExpiresAt) {
				granted.ExpiresAt = &end
			}
		}
	}
	return granted
}

func (r *reference) revoke(now time.Time, match func(refGrant) bool) (n int) {
	for g := range r.grants {
		if match(g) {
			if r.holds(g, now) {
				n++
			}
			delete(r.grants, g)
		}
	}
	return n
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

var bothKinds = []ids.Kind{ids.Read, ids.Store}

// TestAgainstReference: for random sequences of all calls of sessions and applications, the vault returns the same results
// as the reference.
func TestAgainstReference(t *testing.T) {
	f := newFixture(t)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++ // each round has its own tenants, because all share one database
		ref := &reference{tokens: map[ids.Token]*refToken{}, grants: map[refGrant]time.Time{}}
		tokens := []ids.Token{unknown}
		tenants := []string{fmt.Sprint("clinic", round), fmt.Sprint("bank", round)}
		tenant := func() string { return rapid.SampledFrom(tenants).Draw(t, "tenant") }
		sessionID := func() string { return rapid.SampledFrom([]string{"s1", "s2", "s3"}).Draw(t, "session") }
		some := func() []ids.Token { return rapid.SliceOfN(rapid.SampledFrom(tokens), 1, 4).Draw(t, "tokens") }
		kinds := func() ids.Kind { return ids.Kind(rapid.IntRange(1, 3).Draw(t, "kinds")) }
		t.Repeat(map[string]func(*rapid.T){
			"tokenize": func(t *rapid.T) {
				tenant, id := tenant(), sessionID()
				var in vault.TokenizeInput
				made := &refToken{tenant: tenant}
				if ttl := rapid.SampledFrom([]int{0, 1, 20, 60}).Draw(t, "ttl"); ttl > 0 {
					in.TTL = ptr(time.Duration(ttl) * time.Minute)
					made.ends = f.at.Add(*in.TTL)
				}
				got, err := f.Tokenize(session(tenant, id), in)
				require.NoError(t, err)
				tokens = append(tokens, got.Token)
				ref.tokens[got.Token] = made
				for _, k := range bothKinds {
					ref.grant(refGrant{tenant, id, got.Token, k}, f.at.Add(15*time.Minute))
				}
			},
			"create": func(t *rapid.T) {
				tenant, id := tenant(), sessionID()
				var requests []vault.GrantRequest
				for range rapid.IntRange(1, 2).Draw(t, "requests") {
					r := vault.GrantRequest{Tokens: some(), Kinds: kinds()}
					if m := rapid.IntRange(0, 90).Draw(t, "minutes"); m > 0 {
						r.Duration = ptr(time.Duration(m) * time.Minute)
					}
					requests = append(requests, r)
				}
				got, err := f.CreateGrants(application(tenant), id, requests)
				require.NoError(t, err)
				want := make([]vault.Granted, len(requests))
				for _, pass := range []bool{false, true} { // all grants are created before results are computed
					for i := range requests {
						if answer := ref.create(tenant, id, &requests[i], f.at); pass {
							want[i] = answer
						}
					}
				}
				require.Equal(t, want, got)
			},
			"verify": func(t *rapid.T) {
				tenant, id := tenant(), sessionID()
				var checks, want []vault.GrantCheck
				for _, token := range some() {
					check := vault.GrantCheck{Token: token, Kind: kinds()}
					checks = append(checks, check)
					for _, k := range bothKinds {
						if check.Kind&k != 0 && !ref.holds(refGrant{tenant, id, token, k}, f.at) {
							want = append(want, check)
							break
						}
					}
				}
				got, err := f.VerifyGrants(application(tenant), id, checks)
				require.NoError(t, err)
				require.Equal(t, want, got)
			},
			"detokenize": func(t *rapid.T) {
				tenant, id := tenant(), sessionID()
				list := some()
				got, err := f.DetokenizeBatch(session(tenant, id), list)
				require.NoError(t, err)
				for i, token := range list {
					if ref.holds(refGrant{tenant, id, token, ids.Read}, f.at) {
						require.NoError(t, got[i].Err)
					} else {
						requireFault(t, got[i].Err, fault.GrantRequired)
					}
				}
			},
			"describe": func(t *rapid.T) {
				tenant, token := tenant(), rapid.SampledFrom(tokens).Draw(t, "token")
				got, err := f.Describe(application(tenant), token)
				require.NoError(t, err)
				require.Equal(t, ref.alive(tenant, token, f.at), got != nil)
			},
			"revoke": func(t *rapid.T) {
				tenant, kind := tenant(), ids.Kind(rapid.IntRange(0, 3).Draw(t, "kinds"))
				r := vault.Revocation{Kinds: kind}
				by := rapid.IntRange(1, 3).Draw(t, "filter")
				if by&1 != 0 {
					r.SessionID = ptr(sessionID())
				}
				if by&2 != 0 {
					r.Tokens = some()
				}
				got, err := f.RevokeGrants(application(tenant), r)
				require.NoError(t, err)
				want := ref.revoke(f.at, func(g refGrant) bool {
					named := r.Tokens == nil
					for _, token := range r.Tokens {
						named = named || token == g.token
					}
					return named && g.tenant == tenant && (r.SessionID == nil || *r.SessionID == g.session) && (kind == 0 || kind&g.kind != 0)
				})
				require.Equal(t, want, got)
			},
			"carry": func(t *rapid.T) {
				tenant, from, to := tenant(), sessionID(), sessionID()
				got, err := f.CarryGrants(application(tenant), from, to)
				if from == to {
					requireFault(t, err, fault.BadUserInput)
					return
				}
				require.NoError(t, err)
				for g, until := range ref.grants {
					if g.tenant == tenant && g.session == from && ref.holds(g, f.at) {
						g.session = to
						ref.grants[g] = later(ref.grants[g], until)
					}
				}
				require.Equal(t, ref.revoke(f.at, func(g refGrant) bool { return g.tenant == tenant && g.session == from }), got)
			},
			"delete": func(t *rapid.T) {
				tenant := tenant()
				list := some()
				got, err := f.DeleteTokens(application(tenant), list)
				require.NoError(t, err)
				want, ended := 0, 0
				for _, token := range list {
					if made := ref.tokens[token]; made != nil && made.tenant == tenant && !made.gone {
						if !ref.alive(tenant, token, f.at) {
							ended++ // expired: counted unless it was swept before
						}
						made.gone = true
						want++
						ref.revoke(f.at, func(g refGrant) bool { return g.token == token })
					}
				}
				require.LessOrEqual(t, got, want)
				require.GreaterOrEqual(t, got, want-ended)
			},
			"time": func(t *rapid.T) {
				f.at = f.at.Add(time.Duration(rapid.IntRange(1, 30*60).Draw(t, "seconds")) * time.Second)
			},
			"sweep": func(t *rapid.T) { require.NoError(t, f.Sweep(context.Background())) },
		})
	})
}
