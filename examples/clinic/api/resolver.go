package api

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic/graph"
	"github.com/cloakroomhq/cloakroom/examples/clinic/graph/model"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

const (
	maxPatients = 1000
	maxFound    = 20 // of each kind
	maxText     = 200
)

// resolver resolves fields. It has no code for grants: the schema's @token says where tokens are.
type resolver struct {
	store *store.Store
	news  *news
	now   func() time.Time
}

type (
	query        struct{ *resolver }
	mutation     struct{ *resolver }
	subscription struct{ *resolver }
	patients     struct{ *resolver }
)

func (r *resolver) Query() graph.QueryResolver               { return query{r} }
func (r *resolver) Mutation() graph.MutationResolver         { return mutation{r} }
func (r *resolver) Subscription() graph.SubscriptionResolver { return subscription{r} }
func (r *resolver) Patient() graph.PatientResolver           { return patients{r} }

// user returns the user who is logged in in the request's session.
func (r *resolver) user(ctx context.Context) (store.User, error) {
	session, ok := appkit.SessionFrom(ctx)
	if !ok {
		return store.User{}, errSignIn
	}
	user, _, err := r.store.UserOf(ctx, session.ID, r.now())
	if errors.Is(err, store.ErrNotFound) { // a visitor's session, or one that has ended
		err = errSignIn
	}
	return user, err
}

func (q query) Viewer(ctx context.Context) (*model.User, error) {
	user, err := q.user(ctx)
	if errors.Is(err, errSignIn) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &model.User{ID: id(user.ID), Name: user.Name, Email: user.Email, Role: model.Role(user.Role)}, nil
}

func (q query) Patients(ctx context.Context, first int) ([]*model.Patient, error) {
	if first < 1 || first > maxPatients {
		return nil, refusal{"BAD_USER_INPUT", "first must be 1 to 1000."}
	}
	return q.find(ctx, store.Filter{Limit: first})
}

func (q query) Patient(ctx context.Context, id string) (*model.Patient, error) {
	row := number(id)
	if row < 1 { // no patient has such an id; in a filter, 0 means every id
		return nil, nil
	}
	found, err := q.find(ctx, store.Filter{ID: row})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// find loads patients, with their notes and documents if the operation asks for them.
func (r *resolver) find(ctx context.Context, f store.Filter) ([]*model.Patient, error) {
	user, err := r.user(ctx)
	if err != nil {
		return nil, err
	}
	fields := graphql.CollectAllFields(ctx)
	timeline := slices.Contains(fields, "timeline")
	f.Notes = timeline || slices.Contains(fields, "notes")
	f.Documents = timeline || slices.Contains(fields, "documents")
	found, err := r.store.Patients(ctx, user, f)
	return each(found, patientOf), err
}

func (q query) Search(ctx context.Context, text string) ([]model.SearchResult, error) {
	user, err := q.user(ctx)
	if err != nil {
		return nil, err
	}
	if text = strings.TrimSpace(text); text == "" || len(text) > maxText {
		return nil, refusal{"BAD_USER_INPUT", "text must have 1 to 200 bytes."}
	}
	found, err := q.store.Patients(ctx, user, store.Filter{Name: text, Limit: maxFound, Notes: true, Documents: true})
	if err != nil {
		return nil, err
	}
	notes, documents, err := q.store.Search(ctx, user, text, maxFound)
	if err != nil {
		return nil, err
	}
	var results []model.SearchResult
	for _, p := range found {
		results = append(results, patientOf(p))
	}
	for _, n := range notes {
		results = append(results, noteOf(n))
	}
	for _, d := range documents {
		results = append(results, documentOf(d))
	}
	return results, nil
}

// Timeline merges the notes and documents that were loaded with the patient.
func (patients) Timeline(_ context.Context, p *model.Patient) ([]model.TimelineEntry, error) {
	type entry struct {
		at time.Time
		model.TimelineEntry
	}
	var entries []entry
	for _, n := range p.Notes {
		entries = append(entries, entry{n.WrittenAt, n})
	}
	for _, d := range p.Documents {
		entries = append(entries, entry{d.AddedAt, d})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return b.at.Compare(a.at) })
	return each(entries, func(e entry) model.TimelineEntry { return e.TimelineEntry }), nil
}

func each[A, B any](list []A, f func(A) B) []B {
	mapped := make([]B, len(list))
	for i, a := range list {
		mapped[i] = f(a)
	}
	return mapped
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func patientOf(p store.Patient) *model.Patient {
	m := &model.Patient{ID: id(p.ID), Name: p.Name, Notes: each(p.Notes, noteOf), Documents: each(p.Documents, documentOf)}
	m.Ssn = (*directives.TokenID)(p.SSN)
	return m
}

func noteOf(n store.Note) *model.Note {
	return &model.Note{
		ID: id(n.ID), PatientID: id(n.PatientID), PatientName: n.PatientName, Author: n.Author, WrittenAt: n.WrittenAt,
		Body:        directives.TokenID(n.Body),
		Attachments: each(n.Attachments, func(t string) directives.TokenID { return directives.TokenID(t) }),
	}
}

func documentOf(d store.Document) *model.Document {
	return &model.Document{
		ID: id(d.ID), PatientID: id(d.PatientID), PatientName: d.PatientName, Title: d.Title, AddedAt: d.AddedAt,
		File: directives.TokenID(d.File),
	}
}
