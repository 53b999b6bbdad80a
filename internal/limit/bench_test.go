package limit_test

import (
	"testing"

	"github.com/cloakroomhq/cloakroom/config"
	"github.com/cloakroomhq/cloakroom/internal/caller"
	"github.com/cloakroomhq/cloakroom/internal/clientaddr"
	"github.com/cloakroomhq/cloakroom/internal/limit"
)

type noObserver struct{}

func (noObserver) RateLimited(string, string, string) {}

// BenchmarkRead measures the cost of the rates for a detokenize: the buckets of its session and its tenant.
func BenchmarkRead(b *testing.B) {
	rates := config.Default().Rates
	rates.TokensRead = config.CallerRates{Session: per(1e9, 1e9), Tenant: per(1e9, 1e9)}
	l, err := limit.New(limit.Options{Rates: rates, Clients: &clientaddr.Finder{}, Observer: noObserver{}})
	if err != nil {
		b.Fatal(err)
	}
	all := make([]*caller.Caller, 1000)
	for i := range all {
		all[i] = session("a", string(rune(i+1)))
	}
	b.Run("one session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = l.Read(all[0], 1)
		}
	})
	b.Run("a thousand sessions, in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				_ = l.Read(all[i%len(all)], 1)
			}
		})
	})
	b.Run("refused by its address", func(b *testing.B) {
		r := from("198.51.100.1")
		for l.Refused(r) == nil {
		}
		b.ReportAllocs()
		for b.Loop() {
			_ = l.Admit(r)
		}
	})
}
