package credential

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// load sends requests at a rate, and checks each result against the keys that the issuer had published by then.
type load struct {
	*fixture
	t        *testing.T
	issuer   *liveIssuer
	phase    string
	n        int                 // valid requests so far
	jwts     map[string][]string // of the sessions so far, by kid
	forged   map[string]string   // by kid
	requests sync.WaitGroup

	mu     sync.Mutex
	passed int // valid ones, in this phase
	beside int // of them, while a request to the issuer had no answer
}

const (
	perSecond  = 200 // valid requests; half as many invalid ones come with them
	perSession = 16  // one in this many is the first with its JWT
	liveWindow = refreshAtMost + fetchTimeout
)

// everPublished are the kids that were valid at any time.
var everPublished = []string{"k1", "k2", "k3", "k4"}

// window sends load for the given time. Without a flood, no request has an unknown kid.
func (l *load) window(length time.Duration, flood bool) {
	for range int(length.Seconds() * perSecond) {
		l.n++
		published := l.issuer.latest().kids
		if len(published) > 0 {
			l.valid(published[l.n%len(published)])
		}
		if flood && l.n%2 == 0 {
			l.invalid(published)
		}
		time.Sleep(time.Second / perSecond)
	}
}

func (l *load) valid(kid string) {
	if l.n/len(everPublished)%perSession == 0 || len(l.jwts[kid]) == 0 {
		l.jwts[kid] = append(l.jwts[kid], liveJWT(kid, kid, l.n))
	}
	l.send(kid, l.jwts[kid][l.n%len(l.jwts[kid])], true)
}

func (l *load) invalid(published []string) {
	forged := func(kid string) {
		if l.forged[kid] == "" {
			l.forged[kid] = liveJWT(kid, "m1", 0)
		}
		l.send(kid, l.forged[kid], false)
	}
	switch l.n / 2 % 4 {
	case 0: // an unknown kid
		forged(fmt.Sprint("u", l.n/8%100))
	case 1: // a key that only bad answers have
		forged("m1")
	case 2: // another key's signature under a known kid
		if len(published) > 0 {
			forged(published[l.n/8%len(published)])
		}
	case 3: // a key that was removed, or is not yet published
		for _, kid := range everPublished {
			if !slices.Contains(published, kid) && len(l.jwts[kid]) > 0 {
				l.send(kid, l.jwts[kid][l.n%len(l.jwts[kid])], true)
			}
		}
	}
}

func (l *load) send(kid, jwt string, genuine bool) {
	l.requests.Go(func() {
		begin := time.Now()
		c, err := l.Authenticate(bearer(jwt))
		end := time.Now()
		accept, refuse := l.issuer.may(kid, begin, end)
		switch {
		case (err == nil) != (c != nil):
			l.t.Errorf("%s: caller %v with error %v", l.phase, c, err)
		case err == nil && (!accept || !genuine):
			l.t.Errorf("%s: an invalid JWT under %s was accepted at %s", l.phase, kid, l.now())
		case err != nil && genuine && !refuse:
			l.t.Errorf("%s: a valid JWT under %s was refused at %s: %v", l.phase, kid, l.now(), err)
		case err == nil && !refuse && end != begin:
			l.t.Errorf("%s: a valid JWT under %s waited for %s", l.phase, kid, end.Sub(begin))
		}
		if err == nil {
			l.issuer.mu.Lock()
			waiting := l.issuer.pending > 0
			l.issuer.mu.Unlock()
			l.mu.Lock()
			defer l.mu.Unlock()
			l.passed++
			if waiting {
				l.beside++
			}
		}
	})
}

// counted returns how many requests passed, and resets the counters.
func (l *load) counted() (passed, beside int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	passed, beside, l.passed, l.beside = l.passed, l.beside, 0, 0
	return passed, beside
}

// healthy changes the published keys. With a flood, the gateway has them within refreshAtMost; without, after its own
// refresh.
func (l *load) healthy(name string, answer http.HandlerFunc, flood bool, want ...string) {
	l.phase = name
	begin := time.Now()
	l.issuer.become(answer)
	l.window(liveWindow, flood)
	if !flood {
		time.Sleep(refreshEvery + fetchTimeout - liveWindow)
	}
	require.Equal(l.t, want, l.issuer.latest().kids, name)
	require.True(l.t, l.issuer.latest().at.After(begin), name)
	l.window(time.Second, true)
	l.wait(liveWindow + time.Second)
}

// failing makes the issuer fail for a time in which Run asks it.
func (l *load) failing(name string, answer http.HandlerFunc) (beside int) {
	l.phase = name
	l.issuer.become(answer)
	served := l.issuer.latest().at
	l.window(liveWindow, true)
	time.Sleep(refreshEvery - liveWindow)
	require.Equal(l.t, served, l.issuer.latest().at, name)
	return l.wait(liveWindow)
}

// wait waits for the requests of the phase, and checks that as many passed as the rate says.
func (l *load) wait(loaded time.Duration) (beside int) {
	l.requests.Wait()
	passed, beside := l.counted()
	require.GreaterOrEqual(l.t, passed, int(loaded.Seconds())*perSecond, l.phase)
	l.t.Logf("%-50s %5d valid requests passed, %d of them while the issuer was asked", l.phase, passed, beside)
	return beside
}

// TestIssuerUnderLoad: 200 valid requests a second, and 100 invalid ones, while the issuer changes its keys and
// fails in every way. The clock is a bubble's: the rate is exact, and a request that need not wait takes no time.
func TestIssuerUnderLoad(t *testing.T) {
	testKeys() // made outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		l := &load{t: t, issuer: newLiveIssuer(t), jwts: map[string][]string{}, forged: map[string]string{}}
		l.fixture = newFixture(t, func(o *Options) {
			o.Issuers = o.Issuers[:1]
			o.Issuers[0].JWKS, o.Issuers[0].JWKSURL, o.Issuers[0].MaxLifetime = nil, liveURL, 48*time.Hour
			o.Now, o.Client = func() time.Time { return start.Add(time.Since(begin)) }, l.issuer.client
			o.Remember = 10_000
		})
		ctx, stop := context.WithCancel(context.WithValue(t.Context(), background{}, true))
		running := make(chan struct{})
		l.issuer.become(l.issuer.publish("k1"))
		go func() { l.Run(ctx); close(running) }()
		time.Sleep(time.Second)
		publish := l.issuer.publish

		l.healthy("healthy", publish("k1"), true, "k1")
		l.healthy("rotates, the old key stays", publish("k1", "k2"), true, "k1", "k2")
		l.healthy("removes the old key", publish("k2"), true, "k2")
		l.healthy("rotates, unasked", publish("k2", "k3"), false, "k2", "k3")
		l.healthy("removes the old key, unasked", publish("k3"), false, "k3")
		slowly := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(fetchTimeout - time.Second)
			publish("k3", "k4")(w, r)
		}
		l.healthy("rotates, answering slowly", slowly, true, "k3", "k4")
		bad := badAnswers()
		for _, name := range slices.Sorted(maps.Keys(bad)) {
			beside := l.failing(name, bad[name])
			if name == "hangs mid-body" || name == "hangs until the client gives up" {
				require.Positive(t, beside, name)
			}
			l.healthy("well again, after: "+name, publish("k3", "k4"), true, "k3", "k4")
		}
		l.failsTooLong(bad["garbage"])
		l.issuer.become(publish("k4"))
		time.Sleep(refreshAtMost)
		l.healthy("well again, after it was closed", publish("k4"), true, "k4")

		stop()
		<-running
		require.Empty(t, l.issuer.strayed)
		for i, at := range l.issuer.flooded[1:] {
			require.GreaterOrEqual(t, at.Sub(l.issuer.flooded[i]), refreshAtMost, "a flood made the gateway ask again")
		}
		t.Logf("%d requests in %s of the bubble's time; they caused %d fetches", l.n, time.Since(begin), len(l.issuer.flooded))
	})
}

// failsTooLong makes the issuer fail until its keys are too old: all valid requests pass until then, and none after.
func (l *load) failsTooLong(answer http.HandlerFunc) {
	l.phase = "fails for longer than keys are trusted"
	l.issuer.become(answer)
	end := l.issuer.latest().at.Add(maxStale)
	time.Sleep(time.Until(end) - liveWindow)
	l.window(2*liveWindow, true)
	l.wait(liveWindow)
}
