package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/examples/clinic/graph/model"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// Bounds of subscriptions. The page renews a subscription that ends.
const (
	maxSubscribers = 1000
	maxBehind      = 16 // events that a subscriber may be behind before its subscription ends
	maxStream      = time.Hour
)

// news sends subscribers the ids of new notes. At delivery, the store decides whether the subscriber may read the note.
type news struct {
	mu          sync.Mutex
	stopped     bool
	subscribers map[chan string]string // to its session
}

func newNews() *news { return &news{subscribers: map[chan string]string{}} }

// subscribe returns a channel, which is closed when the subscription has to end, and a function that ends the subscription.
func (n *news) subscribe(session string) (events chan string, leave func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.subscribers) >= maxSubscribers || n.stopped {
		return nil, nil, refusal{"UNAVAILABLE", "There are too many subscriptions at the moment: try again later."}
	}
	events = make(chan string, maxBehind)
	n.subscribers[events] = session
	return events, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.drop(events)
	}, nil
}

func (n *news) drop(events chan string) {
	if _, ok := n.subscribers[events]; ok {
		delete(n.subscribers, events)
		close(events)
	}
}

func (n *news) publish(note string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for events := range n.subscribers {
		select {
		case events <- note:
		default:
			n.drop(events)
		}
	}
}

func (n *news) end(session string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for events, of := range n.subscribers {
		if of == session {
			n.drop(events)
		}
	}
}

func (n *news) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	for events := range n.subscribers {
		n.drop(events)
	}
}

// NoteAdded applies the rule to each note at its delivery, with the session's current user.
func (s subscription) NoteAdded(ctx context.Context) (<-chan *model.Note, error) {
	if _, err := s.user(ctx); err != nil {
		return nil, err
	}
	session, _ := appkit.SessionFrom(ctx)
	events, leave, err := s.news.subscribe(session.ID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxStream)
	notes := make(chan *model.Note)
	go func() {
		defer cancel()
		defer leave()
		defer close(notes)
		for {
			select {
			case <-ctx.Done():
				return
			case added, ok := <-events:
				if !ok || !s.deliver(ctx, notes, added) {
					return
				}
			}
		}
	}()
	return notes, nil
}

// deliver reports whether the subscription may go on.
func (s subscription) deliver(ctx context.Context, notes chan<- *model.Note, added string) bool {
	user, err := s.user(ctx)
	if err != nil {
		return false
	}
	note, err := s.store.Note(ctx, user, number(added))
	if errors.Is(err, store.ErrNotFound) {
		return true // not for this user
	}
	if err != nil {
		return false
	}
	select {
	case notes <- noteOf(note):
		return true
	case <-ctx.Done():
		return false
	}
}
