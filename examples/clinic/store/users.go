package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"
)

// The roles.
const (
	Doctor      = "DOCTOR"
	PatientRole = "PATIENT"
)

// loginsPerUser bounds a user's rows in the table of logins: one more ends the oldest login.
const loginsPerUser = 10

// User is a person who can log in.
type User struct {
	ID    int64
	Email string
	Name  string
	Role  string
}

const userColumns = "u.id, u.email, u.name, u.role"

func (u *User) fields() []any { return []any{&u.ID, &u.Email, &u.Name, &u.Role} }

// AddUser adds a user, or returns the existing user with this address.
func (s *Store) AddUser(ctx context.Context, u User, passwordHash string) (User, error) {
	err := s.db.QueryRowContext(ctx, `INSERT INTO users (email, name, role, password_hash) VALUES (?, ?, ?, ?)
		ON CONFLICT (email) DO UPDATE SET email = excluded.email RETURNING id, email, name, role`,
		u.Email, u.Name, u.Role, passwordHash).Scan(u.fields()...)
	return u, err
}

// UserByEmail returns a user and the hash of the password; ErrNotFound if there is no such user.
func (s *Store) UserByEmail(ctx context.Context, email string) (u User, passwordHash string, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT "+userColumns+", u.password_hash FROM users u WHERE email = ?", email).
		Scan(append(u.fields(), &passwordHash)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return u, passwordHash, err
}

func loginID(session string) []byte {
	sum := sha256.Sum256([]byte("clinic/login\x00" + session))
	return sum[:]
}

// Login starts a session of the user. It also deletes expired sessions, and the user's oldest sessions
// above loginsPerUser.
func (s *Store) Login(ctx context.Context, user User, session string, now, expires time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO logins (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
			loginID(session), user.ID, now.UnixMicro(), expires.UnixMicro())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM logins WHERE expires_at <= ? OR user_id = ? AND id NOT IN
			(SELECT id FROM logins WHERE user_id = ? ORDER BY created_at DESC LIMIT ?)`,
			now.UnixMicro(), user.ID, user.ID, loginsPerUser)
		return err
	})
}

// Logout ends a session.
func (s *Store) Logout(ctx context.Context, session string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM logins WHERE id = ?", loginID(session))
	return err
}

// UserOf returns a session's user, and when the session ends; ErrNotFound if it has ended, or never existed.
func (s *Store) UserOf(ctx context.Context, session string, now time.Time) (u User, expires time.Time, err error) {
	var micros int64
	err = s.db.QueryRowContext(ctx, "SELECT "+userColumns+`, l.expires_at FROM logins l JOIN users u ON u.id = l.user_id
		WHERE l.id = ? AND l.expires_at > ?`, loginID(session), now.UnixMicro()).Scan(append(u.fields(), &micros)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return u, time.UnixMicro(micros), err
}
