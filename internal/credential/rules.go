package credential

// Check is the result of one rule for a JWT.
type Check struct {
	Reason      Reason
	Err         error  // nil: the JWT passes
	Want, Given string // as in Refusal
}

// rules collect the results of a JWT's checks. For a request, the first failure ends the checks; for an explanation all
// rules are tried and recorded.
type rules struct {
	explain bool
	issuer  string // once it is known
	checks  []Check
	failed  *Refusal // the first
}

// detail returns what a rule expects and what the JWT has; it is called only if that is shown.
type detail func() (want, given string)

// record records the result of a rule, and reports whether the next one is to be tried.
func (r *rules) record(reason Reason, err error, say detail) bool {
	if err == nil && !r.explain {
		return true
	}
	want, given := say()
	if err != nil && r.failed == nil {
		r.failed = &Refusal{Reason: reason, Issuer: r.issuer, Want: want, Given: given, cause: err}
	}
	if r.explain {
		r.checks = append(r.checks, Check{reason, err, want, given})
	}
	return err == nil || r.explain
}

// err returns the first refusal.
func (r *rules) err() error {
	if r.failed == nil {
		return nil
	}
	return r.failed
}
