package revocation

import "errors"

// Watches0 returns an error unless nothing is left of any watch.
func (s *Set) Watches0() error {
	l := s.watches
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all)+len(l.bySession)+len(l.byToken)+len(l.tenants)+l.tokens != 0 {
		return errors.New("something of a watch is left")
	}
	return nil
}
