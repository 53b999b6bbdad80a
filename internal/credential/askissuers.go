package credential

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/jose"
)

// Answer is the result of fetching an issuer's keys.
type Answer struct {
	Issuer     string // its name
	From       string // a URL, or "the settings"
	Keys       []string
	Unused     []string      // members of the set that are not used, and why
	Unsignable []string      // allowed algorithms that the issuer has no key for
	Ahead      time.Duration // of the issuer's clock, by its Date header, which has whole seconds
	Clocked    bool          // the issuer sent a Date header
	Err        error
}

// Ask fetches every issuer's keys, as a request that needs them does, in the order of the issuers' names.
func (a *Authenticator) Ask(ctx context.Context) []Answer {
	all := make([]Answer, 0, len(a.issuers))
	for _, i := range a.issuers {
		all = append(all, i.ask(ctx))
	}
	slices.SortFunc(all, func(x, y Answer) int { return strings.Compare(x.Issuer, y.Issuer) })
	return all
}

func (i *issuer) ask(ctx context.Context) Answer {
	answer := Answer{Issuer: i.Name, From: "the settings"}
	switch {
	case i.Discovery:
		answer.From = strings.TrimSuffix(i.Issuer.Issuer, "/") + wellKnown
	case i.JWKSURL != "":
		answer.From = i.JWKSURL
	}
	if !i.source.fixed() {
		answer.Err = i.source.ask(ctx)
	}
	if ahead := i.source.ahead.Load(); ahead != nil {
		answer.Ahead, answer.Clocked = *ahead, true
	}
	set := i.source.current.Load()
	if set == nil {
		return answer
	}
	for _, k := range set.Keys() {
		answer.Keys = append(answer.Keys, describe(k))
	}
	for _, l := range set.Unused() {
		answer.Unused = append(answer.Unused, l.String())
	}
	for _, alg := range i.Algorithms {
		if !slices.ContainsFunc(set.Keys(), func(k jose.Key) bool { return k.Fits(alg) }) {
			answer.Unsignable = append(answer.Unsignable, alg)
		}
	}
	return answer
}

func describe(k jose.Key) string {
	var fits []string
	for _, alg := range jose.Algorithms {
		if k.Fits(alg) && jose.Canonical(alg) == alg {
			fits = append(fits, alg)
		}
	}
	return fmt.Sprintf("%s for %s", quote(k.ID), strings.Join(fits, " or "))
}
