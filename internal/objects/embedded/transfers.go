package embedded

import (
	"net/http"
	"sync"
	"time"
)

// transfers has the requests in progress whose signatures were verified. It bounds the concurrent transfers of a session, of
// a tenant and of all, refuses a second upload of an object, and stops transfers whose object is deleted or session ended.
type transfers struct {
	limits   transferLimits
	mu       sync.Mutex
	all      int
	tenants  map[[8]byte]int
	sessions map[signer]*share
	objects  map[string]map[*transfer]bool
	ended    map[signer]end
	prune    int       // number of ends at which expired ones are removed
	pruned   time.Time // when expired ends were last removed
}

// end refuses a session's URLs signed no later than signed; all of them have expired at until.
type end struct{ signed, until time.Time }

// transferLimits are from Options.
type transferLimits struct {
	all, session int
	bytes        int64
}

// share is the number and size of a session's transfers.
type share struct {
	n     int
	bytes int64 // of uploads
}

// A transfer is admitted if its session has fewer transfers than an eighth of the free ones, and its tenant fewer than three
// times the free ones. The limits shrink as more are in use, so that there is always room for another session and another
// tenant (dynamic thresholds, as in shared-memory switches).
const (
	sessionPart = 8
	tenantTimes = 3
)

const (
	minPrune = 1024
	// maxSignOuts bounds the memory of sign-outs, because a user can repeat them. Above it, a sign-out stops transfers only,
	// and URLs signed before stay valid until they expire.
	maxSignOuts = 1 << 16
)

func newTransfers(l transferLimits) *transfers {
	return &transfers{
		limits: l, tenants: map[[8]byte]int{}, sessions: map[signer]*share{}, objects: map[string]map[*transfer]bool{},
		ended: map[signer]end{}, prune: minPrune,
	}
}

// transfer is one request in progress. end must be called.
type transfer struct {
	set    *transfers
	object string
	part   int // number of an upload in parts; 0: the object itself
	by     signer
	upload bool
	bytes  int64 // guarded by set.mu

	mu      sync.Mutex
	why     *apiError // not nil: the transfer was stopped, and this is the response
	done    bool
	control *http.ResponseController
}

// begin admits a request that was signed at signed, or returns why it is refused. Of an object, and of each part, one upload at a
// time is admitted.
func (s *transfers) begin(object string, by signer, signed time.Time, upload bool, w http.ResponseWriter) (*transfer, *apiError) {
	return s.admit(object, 0, by, signed, upload, w)
}

// admit is begin for the object, or for one of its parts.
func (s *transfers) admit(object string, part int, by signer, signed time.Time, upload bool, w http.ResponseWriter) (*transfer, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ended := s.ended[by]; ended && !signed.After(e.signed) {
		return nil, errEnded
	}
	if upload {
		for other := range s.objects[object] {
			if other.upload && other.part == part {
				return nil, errConflict
			}
		}
	}
	free := s.limits.all - s.all
	used := s.sessions[by]
	if used == nil {
		used = &share{}
	}
	if free < 1 {
		return nil, errBusy
	}
	if used.n >= s.limits.session || used.n >= max(1, free/sessionPart) || s.tenants[by.tenant()] >= tenantTimes*free {
		return nil, errOverShare
	}
	s.all++
	used.n++
	s.sessions[by] = used
	s.tenants[by.tenant()]++
	t := &transfer{set: s, object: object, part: part, by: by, upload: upload, control: http.NewResponseController(w)}
	if s.objects[object] == nil {
		s.objects[object] = map[*transfer]bool{}
	}
	s.objects[object][t] = true
	return t, nil
}

// end releases the transfer's share. Its connection may serve another request afterwards, so stop does nothing then.
func (t *transfer) end() {
	t.mu.Lock()
	t.done = true
	t.mu.Unlock()
	s := t.set
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	used := s.sessions[t.by]
	used.n--
	if used.bytes -= t.bytes; used.n == 0 {
		delete(s.sessions, t.by)
	}
	if s.tenants[t.by.tenant()]--; s.tenants[t.by.tenant()] == 0 {
		delete(s.tenants, t.by.tenant())
	}
	if delete(s.objects[t.object], t); len(s.objects[t.object]) == 0 {
		delete(s.objects, t.object)
	}
}

// reserve takes n more bytes of the session's MaxSessionBytes, all or none, and reports whether it did.
func (t *transfer) reserve(n int64) bool {
	t.set.mu.Lock()
	defer t.set.mu.Unlock()
	used := t.set.sessions[t.by]
	if used.bytes+n > t.set.limits.bytes {
		return false
	}
	used.bytes += n
	t.bytes += n
	return true
}

// stopped returns why the transfer was stopped, or nil.
func (t *transfer) stopped() *apiError {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.why
}

// stop makes the transfer's handler return: reads and writes on the connection fail at once.
func (t *transfer) stop(why *apiError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done || t.why != nil {
		return
	}
	t.why = why
	past := time.Unix(1, 0)
	// Not every writer has deadlines; without them the handler reads t.why at its next step.
	_ = t.control.SetReadDeadline(past)
	_ = t.control.SetWriteDeadline(past)
}

// settle sets the deadline of the response. It waits for a concurrent stop, whose deadline would otherwise come later and
// cut off the response; a later stop does nothing.
func (t *transfer) settle(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = true
	_ = t.control.SetWriteDeadline(until)
}

// do runs f unless the transfer was stopped; a concurrent stop waits for f.
func (t *transfer) do(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != nil {
		return errStopped
	}
	return f()
}

// stopObjects stops the transfers of these objects and of their parts.
func (s *transfers) stopObjects(names []string) {
	s.stopWhere(names, errNoSuchKey, func(*transfer) bool { return true })
}

// stopParts stops the uploads of an object's parts.
func (s *transfers) stopParts(object string) {
	s.stopWhere([]string{object}, errNoSuchUpload, func(t *transfer) bool { return t.part > 0 })
}

func (s *transfers) stopWhere(names []string, why *apiError, which func(*transfer) bool) {
	s.mu.Lock()
	var all []*transfer
	for _, name := range names {
		for t := range s.objects[name] {
			if which(t) {
				all = append(all, t)
			}
		}
	}
	s.mu.Unlock() // stop waits for a transfer that is in do
	for _, t := range all {
		t.stop(why)
	}
}

// endSession stops a session's transfers, and refuses URLs signed up to e.signed.
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

// note stores an end; if the session has one already, the wider of the two stays.
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

// forget removes expired ends once a minute, or when there are twice as many ends as after the last time.
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
