package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Note is a doctor's note about a patient.
type Note struct {
	ID, PatientID       int64
	PatientName, Author string
	WrittenAt           time.Time
	Body                string   // a token
	Attachments         []string // tokens
}

// Document is a file about a patient.
type Document struct {
	ID, PatientID int64
	PatientName   string
	Title         string
	AddedAt       time.Time
	File          string // a token
}

// NewNote is a note to add.
type NewNote struct {
	Body        string
	Attachments []string
}

// NewDocument is a document to add.
type NewDocument struct{ Title, File string }

// AddNote adds a doctor's note about one of her patients.
func (s *Store) AddNote(ctx context.Context, doctor User, patient int64, n NewNote, now time.Time) (id int64, err error) {
	if doctor.Role != Doctor {
		return 0, ErrNotAllowed
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := mustSee(ctx, tx, doctor, patient); err != nil {
			return err
		}
		id, err = addNote(ctx, tx, doctor, patient, n, now)
		return err
	})
	return id, err
}

func addNote(ctx context.Context, tx *sql.Tx, author User, patient int64, n NewNote, now time.Time) (int64, error) {
	return insert(ctx, tx, "INSERT INTO notes (patient_id, author_id, written_at, body, attachments) VALUES (?, ?, ?, ?, ?)",
		patient, author.ID, now.UnixMicro(), n.Body, list(n.Attachments))
}

// AddDocument adds a document about a patient whom the user may see.
func (s *Store) AddDocument(ctx context.Context, user User, patient int64, d NewDocument, now time.Time) (id int64, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := mustSee(ctx, tx, user, patient); err != nil {
			return err
		}
		id, err = addDocument(ctx, tx, patient, d, now)
		return err
	})
	return id, err
}

func addDocument(ctx context.Context, tx *sql.Tx, patient int64, d NewDocument, now time.Time) (int64, error) {
	return insert(ctx, tx, "INSERT INTO documents (patient_id, title, added_at, file) VALUES (?, ?, ?, ?)",
		patient, d.Title, now.UnixMicro(), d.File)
}

// Note returns one note; ErrNotFound if the user may not see its patient.
func (s *Store) Note(ctx context.Context, user User, id int64) (Note, error) {
	return first(s.notes(ctx, user, 1, "n.id = ?", id))
}

// Document returns one document; ErrNotFound if the user may not see its patient.
func (s *Store) Document(ctx context.Context, user User, id int64) (Document, error) {
	return first(s.documents(ctx, user, 1, "d.id = ?", id))
}

func first[T any](all []T, err error) (T, error) {
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// Search returns the newest notes whose patient's name, and documents whose title or patient's name, contains
// the text; at most limit of each.
func (s *Store) Search(ctx context.Context, user User, text string, limit int) (notes []Note, documents []Document, err error) {
	if notes, err = s.notes(ctx, user, limit, `p.name LIKE ? ESCAPE '\'`, like(text)); err != nil {
		return nil, nil, err
	}
	documents, err = s.documents(ctx, user, limit, `(p.name LIKE ?1 ESCAPE '\' OR d.title LIKE ?1 ESCAPE '\')`, like(text))
	return notes, documents, err
}

// notes returns notes that the user may see, the newest first, at most limit (-1: all).
func (s *Store) notes(ctx context.Context, user User, limit int, condition string, arg any) ([]Note, error) {
	//nolint:gosec // condition is a constant of this package; outside input is passed as arguments
	rows, err := s.db.QueryContext(ctx, `SELECT n.id, n.patient_id, p.name, u.name, n.written_at, n.body, n.attachments
		FROM notes n JOIN patients p ON p.id = n.patient_id JOIN users u ON u.id = n.author_id
		WHERE `+condition+" AND "+visible+" ORDER BY n.id DESC LIMIT ?", arg, user.ID, user.ID, limit)
	return collect(rows, err, func(n *Note) []any {
		return []any{&n.ID, &n.PatientID, &n.PatientName, &n.Author, (*moment)(&n.WrittenAt), &n.Body, (*texts)(&n.Attachments)}
	})
}

// documents returns documents that the user may see, the newest first, at most limit (-1: all).
func (s *Store) documents(ctx context.Context, user User, limit int, condition string, arg any) ([]Document, error) {
	//nolint:gosec // as for notes
	rows, err := s.db.QueryContext(ctx, `SELECT d.id, d.patient_id, p.name, d.title, d.added_at, d.file
		FROM documents d JOIN patients p ON p.id = d.patient_id
		WHERE `+condition+" AND "+visible+" ORDER BY d.id DESC LIMIT ?", arg, user.ID, user.ID, limit)
	return collect(rows, err, func(d *Document) []any {
		return []any{&d.ID, &d.PatientID, &d.PatientName, &d.Title, (*moment)(&d.AddedAt), &d.File}
	})
}

// moment scans microseconds since 1970.
type moment time.Time

// Scan implements sql.Scanner.
func (m *moment) Scan(v any) error {
	n, _ := v.(int64)
	*m = moment(time.UnixMicro(n).UTC())
	return nil
}

// texts scans a JSON list of strings.
type texts []string

// Scan implements sql.Scanner.
func (t *texts) Scan(v any) error {
	s, _ := v.(string)
	return json.Unmarshal([]byte(s), (*[]string)(t))
}
