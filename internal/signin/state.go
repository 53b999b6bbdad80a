package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"time"
)

const (
	// clockDrift is by how much the clocks of two replicas may differ. Beyond it, one of them could remove the record
	// of a used state that another still accepts.
	clockDrift = 10 * time.Minute
)

// state is one sign-in in progress. It is not stored: the browser carries it, sealed.
type state struct {
	provider string
	returnTo string
	nonce    [16]byte
	expires  time.Time
	browser  [32]byte // hash of the cookie that binds it to a browser
}

// newState returns the state of a new sign-in; browser is the value of the browser's binding cookie.
func newState(provider, returnTo, browser string, expires time.Time) *state {
	s := &state{provider: provider, returnTo: returnTo, expires: expires, browser: browserHash(browser)}
	_, _ = rand.Read(s.nonce[:]) // never fails: crypto/rand
	return s
}

func browserHash(value string) [32]byte {
	return sha256.Sum256([]byte("cloakroom/browser/v1\x00" + value))
}

// digest identifies the state in the table of used states.
func (s *state) digest() [32]byte {
	return sha256.Sum256(append([]byte("cloakroom/sign-in-state/v1\x00"), s.nonce[:]...))
}

func (f *Flow) sealState(s *state) (string, error) {
	b := append(make([]byte, 0, 128+len(s.returnTo)), version)
	b = appendMoment(b, s.expires)
	b = append(append(b, s.nonce[:]...), s.browser[:]...)
	b = appendText(appendText(b, s.provider), s.returnTo)
	return seal(f.opts.StateKeys, b)
}

// openState opens the result of sealState. The state may have expired.
func (f *Flow) openState(text string) (*state, error) {
	b, err := open(f.opts.StateKeys, text)
	if err != nil {
		return nil, err
	}
	p := readPayload(b)
	s := &state{expires: p.moment(), nonce: [16]byte(p.take(16)), browser: [32]byte(p.take(32)), provider: p.text(), returnTo: p.text()}
	if !p.complete() {
		return nil, errSealed
	}
	return s, nil
}
