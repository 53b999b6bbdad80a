package revocation

import (
	"sync"
	"sync/atomic"

	"github.com/cloakroomhq/cloakroom/internal/caller"
)

// shards is the number of locks, so that readers rarely wait for writers of other digests; digests are uniform.
const shards = 256

// entry says which credentials are refused, those issued before issuedBefore, and until when the entry is needed. Both are
// Unix milliseconds.
type entry struct{ issuedBefore, until int64 }

// table holds entries by digest. Every request reads it once; writes are rare.
type table struct {
	n     atomic.Int64 // number of entries; while it is 0, reads take no lock
	parts [shards]part
}

type part struct {
	mu      sync.RWMutex
	entries map[caller.SessionHash]entry
}

func (t *table) get(id caller.SessionHash) (entry, bool) {
	if t.n.Load() == 0 {
		return entry{}, false
	}
	p := &t.parts[id[0]]
	p.mu.RLock()
	e, ok := p.entries[id]
	p.mu.RUnlock()
	return e, ok
}

// put widens an entry, and never narrows it.
func (t *table) put(id caller.SessionHash, e entry) {
	p := &t.parts[id[0]]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries == nil {
		p.entries = map[caller.SessionHash]entry{}
	}
	old, ok := p.entries[id]
	if !ok {
		t.n.Add(1)
	}
	p.entries[id] = entry{max(old.issuedBefore, e.issuedBefore), max(old.until, e.until)}
}

// sweep removes entries that are not needed after now, in Unix milliseconds.
func (t *table) sweep(now int64) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for id, e := range p.entries {
			if e.until <= now {
				delete(p.entries, id)
				t.n.Add(-1)
			}
		}
		p.mu.Unlock()
	}
}
