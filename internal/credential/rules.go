package credential

// Check is one rule that a JWT was held against.
type Check struct {
	Reason      Reason
	Err         error  // nil: the JWT keeps it
	Want, Given string // as in Refusal
}

// rules hold a JWT against the gateway's rules, one after the other. For a request, the first that fails is the end;
// for an explanation all are tried, and noted.
type rules struct {
	explain bool
	issuer  string // once it is known
	checks  []Check
	failed  *Refusal // the first
}

// detail says what a rule expects and what the JWT has; it is called where somebody is to read it.
type detail func() (want, given string)

// hold notes what became of a rule, and reports whether the next one is to be tried.
func (r *rules) hold(reason Reason, err error, say detail) bool {
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
