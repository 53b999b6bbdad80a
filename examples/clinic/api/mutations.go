package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/cloakroomhq/cloakroom/directives"
	"github.com/cloakroomhq/cloakroom/examples/clinic/graph/model"
	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// Before a mutation runs, @token has verified every token in its arguments, at any depth.

func (m mutation) AddPatient(ctx context.Context, input model.AddPatientInput) (*model.Patient, error) {
	added, err := m.AddPatients(ctx, []*model.AddPatientInput{&input})
	if err != nil {
		return nil, err
	}
	return added[0], nil
}

func (m mutation) AddPatients(ctx context.Context, inputs []*model.AddPatientInput) ([]*model.Patient, error) {
	user, err := m.user(ctx)
	if err != nil {
		return nil, err
	}
	if len(inputs) > maxPatients {
		return nil, refusal{"LIMIT_EXCEEDED", "At most 1000 patients at a time."}
	}
	added := make([]store.NewPatient, len(inputs))
	for i, in := range inputs {
		if err := checkText("name", in.Name); err != nil {
			return nil, err
		}
		for _, d := range in.Documents {
			if err := checkText("title", d.Title); err != nil {
				return nil, err
			}
		}
		added[i] = store.NewPatient{
			Name: strings.TrimSpace(in.Name), SSN: (*string)(in.Ssn), Notes: each(in.Notes, newNote), Documents: each(in.Documents, newDocument),
		}
	}
	ids, notes, err := m.store.AddPatients(ctx, user, added, m.now())
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		m.news.publish(id(n))
	}
	patients := make([]*model.Patient, len(ids))
	for i, number := range ids {
		found, err := m.find(ctx, store.Filter{ID: number})
		if err != nil {
			return nil, err
		}
		patients[i] = found[0]
	}
	return patients, nil
}

func (m mutation) SetSocialSecurityNumber(ctx context.Context, patient string, ssn directives.TokenID) (*model.Patient, error) {
	user, err := m.user(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.store.SetSSN(ctx, user, number(patient), string(ssn)); err != nil {
		return nil, err
	}
	return query(m).Patient(ctx, patient)
}

func (m mutation) AddNote(ctx context.Context, patient string, note model.NewNote) (*model.Note, error) {
	user, err := m.user(ctx)
	if err != nil {
		return nil, err
	}
	added, err := m.store.AddNote(ctx, user, number(patient), newNote(&note), m.now())
	if err != nil {
		return nil, err
	}
	m.news.publish(id(added))
	n, err := m.store.Note(ctx, user, added)
	return noteOf(n), err
}

func (m mutation) AddDocument(ctx context.Context, patient string, document model.NewDocument) (*model.Document, error) {
	user, err := m.user(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkText("title", document.Title); err != nil {
		return nil, err
	}
	added, err := m.store.AddDocument(ctx, user, number(patient), newDocument(&document), m.now())
	if err != nil {
		return nil, err
	}
	d, err := m.store.Document(ctx, user, added)
	return documentOf(d), err
}

// number returns the row id in an ID, or 0, which no row has.
func number(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func newNote(n *model.NewNote) store.NewNote {
	return store.NewNote{
		Body: string(n.Body), Attachments: each(n.Attachments, func(t directives.TokenID) string { return string(t) }),
	}
}

func newDocument(d *model.NewDocument) store.NewDocument {
	return store.NewDocument{Title: strings.TrimSpace(d.Title), File: string(d.File)}
}

func checkText(what, text string) error {
	if text = strings.TrimSpace(text); text == "" || len(text) > maxText {
		return refusal{"BAD_USER_INPUT", what + " must have 1 to 200 bytes."}
	}
	return nil
}
