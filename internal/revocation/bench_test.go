package revocation_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/revocation"
	"github.com/cloakroomhq/cloakroom/models"
)

// BenchmarkGuard measures the cost per request if the caller's credential is cached: without ended sessions, with a
// million, and with ended subjects too, for which the caller's subject is hashed.
func BenchmarkGuard(b *testing.B) {
	full := newTable()
	for i := range 1_000_000 {
		var id caller.SessionHash
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		full.rows[id] = models.Ended{ID: id, IssuedBefore: math.MaxInt64, EndedAt: noon.UnixMilli(), ExpiresAt: math.MaxInt64}
	}
	c := &clock{at: noon}
	subjects := newTable()
	subjects.rows = map[caller.SessionHash]models.Ended{}
	for id, r := range full.rows {
		subjects.rows[id] = r
	}
	for _, bench := range []struct {
		name string
		rows *table
	}{{"none ended", newTable()}, {"a million sessions", full}, {"and subjects", subjects}} {
		r := start(b, bench.rows, c, func(o *revocation.Options) { o.Max, o.Poll, o.Now = 2_000_000, time.Hour, nil })
		if bench.rows == subjects {
			if err := r.EndSubject(context.Background(), tenant, "another", noon); err != nil {
				b.Fatal(err)
			}
		}
		who := session("s")
		login := caller.HashSession(tenant, "login")
		who.Login = &login
		g := r.Guard(next{caller: who})
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Authenticate(nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+", parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := g.Authenticate(nil); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// TestGuardAllocatesNothing: the guard runs for every request.
func TestGuardAllocatesNothing(t *testing.T) {
	r := start(t, newTable(), &clock{at: noon}, nil)
	if err := r.EndSubject(context.Background(), tenant, "another", noon); err != nil {
		t.Fatal(err)
	}
	if _, err := r.EndSession(context.Background(), tenant, "another", "application"); err != nil {
		t.Fatal(err)
	}
	g := r.Guard(next{caller: session("s")})
	if n := testing.AllocsPerRun(100, func() { _, _ = g.Authenticate(nil) }); n != 0 {
		t.Fatalf("%v allocations per request", n)
	}
}
