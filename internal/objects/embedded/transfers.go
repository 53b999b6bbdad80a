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
	ended    map[signer]time.Time // by when no URL of the session lives any more
	prune    int                  // how many ended sessions are looked through for those to forget
}

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

const minPrune = 1024

func newTransfers(l transferLimits) *transfers {
	return &transfers{
		limits: l, tenants: map[[8]byte]int{}, sessions: map[signer]*share{}, objects: map[string]map[*transfer]bool{},
		ended: map[signer]time.Time{}, prune: minPrune,
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

// begin lets a request in, or says why it is refused.
func (s *transfers) begin(object string, by signer, upload bool, w http.ResponseWriter) (*transfer, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ended := s.ended[by]; ended {
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
	if free < 1 || mine.n >= s.limits.session || mine.n >= max(1, free/sessionPart) || s.tenants[by.tenant()] >= tenantTimes*free {
		return nil, errBusy
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

// endSession stops a session's transfers, and refuses further ones until its last URL has expired.
func (s *transfers) endSession(by signer, until, now time.Time) {
	s.mu.Lock()
	s.ended[by] = until
	if len(s.ended) >= s.prune {
		for other, end := range s.ended {
			if !now.Before(end) {
				delete(s.ended, other)
			}
		}
		s.prune = max(minPrune, 2*len(s.ended))
	}
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
