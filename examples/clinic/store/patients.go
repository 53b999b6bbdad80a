package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// visible is the clinic's rule, as a condition on patients p: a doctor sees her own, a patient himself. It takes
// the user's id twice. @token creates grants for returned tokens, so the rule also decides which sessions get grants.
const visible = "(p.doctor_id = ? OR p.user_id = ?)"

// Patient is a row of patients, with its notes and documents if they were requested.
type Patient struct {
	ID        int64
	Name      string
	SSN       *string // a token
	Notes     []Note
	Documents []Document
}

// Filter narrows a list of patients; its zero value selects all.
type Filter struct {
	ID               int64
	Name             string // a part of it
	Limit            int
	Notes, Documents bool // load them too: one more query each, for any number of patients
}

// Patients returns the patients that the user may see, ordered by id.
func (s *Store) Patients(ctx context.Context, user User, f Filter) ([]Patient, error) {
	limit := f.Limit
	if limit == 0 {
		limit = -1
	}
	rows, err := s.db.QueryContext(ctx, `SELECT p.id, p.name, p.ssn FROM patients p WHERE `+visible+`
		AND (? = 0 OR p.id = ?) AND p.name LIKE ? ESCAPE '\' ORDER BY p.id LIMIT ?`,
		user.ID, user.ID, f.ID, f.ID, like(f.Name), limit)
	patients, err := collect(rows, err, func(p *Patient) []any { return []any{&p.ID, &p.Name, &p.SSN} })
	if err != nil {
		return nil, err
	}
	return patients, s.attach(ctx, user, patients, f)
}

// attach adds notes and documents to the patients.
func (s *Store) attach(ctx context.Context, user User, patients []Patient, f Filter) error {
	at := make(map[int64]*Patient, len(patients))
	ids := make([]int64, len(patients))
	for i := range patients {
		at[patients[i].ID], ids[i] = &patients[i], patients[i].ID
	}
	if f.Notes && len(ids) > 0 {
		notes, err := s.notes(ctx, user, -1, "n.patient_id IN (SELECT value FROM json_each(?))", list(ids))
		if err != nil {
			return err
		}
		for _, n := range notes {
			at[n.PatientID].Notes = append(at[n.PatientID].Notes, n)
		}
	}
	if f.Documents && len(ids) > 0 {
		documents, err := s.documents(ctx, user, -1, "d.patient_id IN (SELECT value FROM json_each(?))", list(ids))
		if err != nil {
			return err
		}
		for _, d := range documents {
			at[d.PatientID].Documents = append(at[d.PatientID].Documents, d)
		}
	}
	return nil
}

// NewPatient is a patient to add.
type NewPatient struct {
	Name      string
	SSN       *string
	Notes     []NewNote
	Documents []NewDocument
}

// AddPatients adds patients of the doctor's own, all or none, and returns their ids and those of their notes.
func (s *Store) AddPatients(ctx context.Context, doctor User, patients []NewPatient, now time.Time) (ids, notes []int64, err error) {
	if doctor.Role != Doctor {
		return nil, nil, ErrNotAllowed
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		for _, p := range patients {
			id, err := insert(ctx, tx, "INSERT INTO patients (name, doctor_id, ssn) VALUES (?, ?, ?)", p.Name, doctor.ID, p.SSN)
			if err != nil {
				return err
			}
			for _, n := range p.Notes {
				note, err := addNote(ctx, tx, doctor, id, n, now)
				if err != nil {
					return err
				}
				notes = append(notes, note)
			}
			for _, d := range p.Documents {
				if _, err := addDocument(ctx, tx, id, d, now); err != nil {
					return err
				}
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids, notes, err
}

// LinkPatient adds a patient of the doctor for a user who can log in, unless that user is a patient already.
func (s *Store) LinkPatient(ctx context.Context, doctor, user User) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO patients (name, doctor_id, user_id)
		SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM patients WHERE user_id = ?)`, user.Name, doctor.ID, user.ID, user.ID)
	return err
}

// SetSSN replaces the social security number of a patient whom the user may see.
func (s *Store) SetSSN(ctx context.Context, user User, patient int64, token string) error {
	result, err := s.db.ExecContext(ctx, "UPDATE patients AS p SET ssn = ? WHERE p.id = ? AND "+visible, token, patient, user.ID, user.ID)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrNotFound)
	}
	return nil
}

// mustSee returns ErrNotFound for a patient whom the user may not see.
func mustSee(ctx context.Context, tx *sql.Tx, user User, patient int64) error {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1 FROM patients p WHERE p.id = ? AND "+visible, patient, user.ID, user.ID).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

func insert(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// like returns a LIKE pattern for texts that contain the part.
func like(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(part) + "%"
}

// list returns a list as JSON, for SQLite's json_each and for columns.
func list[T any](of []T) string {
	if of == nil {
		of = []T{}
	}
	b, _ := json.Marshal(of) // never fails for strings and integers
	return string(b)
}
