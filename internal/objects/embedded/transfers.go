package embedded

import (
	"net/http"
	"sync"
	"time"
)

// transfers are the requests under way, after their signatures were verified. They bound what one session, one tenant
// and all together have under way, keep a second upload of an object out, and stop what has lost its object or session.
type transfers struct {
	limits   transferLimits
	mu       sync.Mutex
	all      int
	tenants  map[[8]byte]int
	sessions map[signer]*share
	objects  map[string]map[*transfer]bool
	ended    map[signer]end
	prune    int       // how many ends are looked through for those to forget
	pruned   time.Time // when that was done last
}

// end refuses a session's URLs that were signed up to a moment; from another on none of them lives any more.
type end struct{ signed, until time.Time }

// transferLimits are settings: see Options.
type transferLimits struct {
	all, session int
	bytes        int64
}

// share is what a session has under way.
type share struct {
	n     int
	bytes int64 // of uploads
}

// A newcomer is let in where its session has less than an eighth of what is free, and its tenant less than three times
// of it: the more is in use, the smaller is what one may have, so that there is always room for
// another session, and another tenant (dynamic thresholds, as in shared-memory switches).
const (
	sessionPart = 8
	tenantTimes = 3
)

const (
	minPrune = 1024
	// maxSignOuts bounds the memory that sign-outs take, which whoever signs in can repeat. Beyond it they stop what is
	// under way, and URLs that were signed before live until they expire.
	maxSignOuts = 1 << 16
)

func newTransfers(l transferLimits) *transfers {
	return &transfers{
		limits: l, tenants: map[[8]byte]int{}, sessions: map[signer]*share{}, objects: map[string]map[*transfer]bool{},
		ended: map[signer]end{}, prune: minPrune,
	}
}

// transfer is one request under way. end must be called.
type transfer struct {
	set    *transfers
	object string
	by     signer
	upload bool
	bytes  int64 // guarded by set.mu

	mu      sync.Mutex
	why     *apiError // not nil: stopped, and what is to be answered
	over    bool
	control *http.ResponseController
}

// begin lets in a request that was signed at a moment, or says why it is refused.
func (s *transfers) begin(object string, by signer, signed time.Time, upload bool, w http.ResponseWriter) (*transfer, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ended := s.ended[by]; ended && !signed.After(e.signed) {
		return nil, errEnded
	}
	if upload {
		for other := range s.objects[object] {
			if other.upload {
				return nil, errConflict
			}
		}
	}
	free := s.limits.all - s.all
	mine := s.sessions[by]
	if mine == nil {
		mine = &share{}
	}
	if free < 1 {
		return nil, errBusy
	}
	if mine.n >= s.limits.session || mine.n >= max(1, free/sessionPart) || s.tenants[by.tenant()] >= tenantTimes*free {
		return nil, errOverShare
	}
	s.all++
	mine.n++
	s.sessions[by] = mine
	s.tenants[by.tenant()]++
	t := &transfer{set: s, object: object, by: by, upload: upload, control: http.NewResponseController(w)}
	if s.objects[object] == nil {
		s.objects[object] = map[*transfer]bool{}
	}
	s.objects[object][t] = true
	return t, nil
}

// end gives back what the transfer had. Its connection may serve another request from then on, which stop leaves alone.
func (t *transfer) end() {
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	s := t.set
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	mine := s.sessions[t.by]
	mine.n--
	if mine.bytes -= t.bytes; mine.n == 0 {
		delete(s.sessions, t.by)
	}
	if s.tenants[t.by.tenant()]--; s.tenants[t.by.tenant()] == 0 {
		delete(s.tenants, t.by.tenant())
	}
	if delete(s.objects[t.object], t); len(s.objects[t.object]) == 0 {
		delete(s.objects, t.object)
	}
}

// reserve takes n more bytes of what the session's uploads may have in temporary files, all or none.
func (t *transfer) reserve(n int64) bool {
	t.set.mu.Lock()
	defer t.set.mu.Unlock()
	mine := t.set.sessions[t.by]
	if mine.bytes+n > t.set.limits.bytes {
		return false
	}
	mine.bytes += n
	t.bytes += n
	return true
}

// stopped returns why the transfer was stopped, or nil.
func (t *transfer) stopped() *apiError {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.why
}

// stop makes the transfer's handler return: what it waits for on the connection fails at once.
func (t *transfer) stop(why *apiError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.why != nil {
		return
	}
	t.why = why
	past := time.Unix(1, 0)
	// Not every writer has deadlines; the handler then sees why at its next step.
	_ = t.control.SetReadDeadline(past)
	_ = t.control.SetWriteDeadline(past)
}

// settle gives the answer until then to reach the client. A stop is waited for, so that the deadline that it sets does not
// come later and cut off the answer that says why; a further one comes too late.
func (t *transfer) settle(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	_ = t.control.SetWriteDeadline(until)
}

// do runs f unless the transfer was stopped; a stop waits for it.
func (t *transfer) do(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != nil {
		return errStopped
	}
	return f()
}

// stopObjects stops the transfers of these objects.
func (s *transfers) stopObjects(names []string) {
	s.mu.Lock()
	var all []*transfer
	for _, name := range names {
		for t := range s.objects[name] {
			all = append(all, t)
		}
	}
	s.mu.Unlock() // a transfer that is being stored holds its own lock for as long
	for _, t := range all {
		t.stop(errNoSuchKey)
	}
}

// endSession stops a session's transfers, and refuses further ones that were signed up to e.signed.
func (s *transfers) endSession(by signer, e end, now time.Time) {
	s.mu.Lock()
	s.note(by, e, now)
	var all []*transfer
	for _, of := range s.objects {
		for t := range of {
			if t.by == by {
				all = append(all, t)
			}
		}
	}
	s.mu.Unlock()
	for _, t := range all {
		t.stop(errEnded)
	}
}

// note keeps the wider of two ends of one session.
func (s *transfers) note(by signer, e end, now time.Time) {
	s.forget(now)
	old, known := s.ended[by]
	if !known && e.signed.Before(e.until) && len(s.ended) >= maxSignOuts {
		return
	}
	if old.signed.After(e.signed) {
		e.signed = old.signed
	}
	if old.until.After(e.until) {
		e.until = old.until
	}
	s.ended[by] = e
}

// forget removes ends that are over, when there are twice as many as the last time, and once a minute.
func (s *transfers) forget(now time.Time) {
	if len(s.ended) < s.prune && now.Sub(s.pruned) < time.Minute {
		return
	}
	for other, of := range s.ended {
		if !now.Before(of.until) {
			delete(s.ended, other)
		}
	}
	s.prune, s.pruned = max(minPrune, 2*len(s.ended)), now
}
