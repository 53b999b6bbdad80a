-- The clinic's data. Tokens replace the values.
CREATE TABLE IF NOT EXISTS users (
  id            INTEGER PRIMARY KEY,
  email         TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  role          TEXT NOT NULL CHECK (role IN ('DOCTOR', 'PATIENT')),
  password_hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS logins (
  id         BLOB PRIMARY KEY, -- SHA-256 of the session's id, so that a copy of this file allows no login
  user_id    INTEGER NOT NULL REFERENCES users,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logins_by_user ON logins (user_id, created_at);
CREATE TABLE IF NOT EXISTS patients (
  id        INTEGER PRIMARY KEY,
  name      TEXT NOT NULL,
  doctor_id INTEGER NOT NULL REFERENCES users,
  user_id   INTEGER REFERENCES users, -- the login of the patient, if he has one
  ssn       TEXT                      -- a token
);
CREATE INDEX IF NOT EXISTS patients_by_doctor ON patients (doctor_id, id);
CREATE INDEX IF NOT EXISTS patients_by_user ON patients (user_id);
CREATE TABLE IF NOT EXISTS notes (
  id          INTEGER PRIMARY KEY,
  patient_id  INTEGER NOT NULL REFERENCES patients,
  author_id   INTEGER NOT NULL REFERENCES users,
  written_at  INTEGER NOT NULL,
  body        TEXT NOT NULL,  -- a token
  attachments TEXT NOT NULL   -- a JSON list of tokens
);
CREATE INDEX IF NOT EXISTS notes_by_patient ON notes (patient_id, id);
CREATE TABLE IF NOT EXISTS documents (
  id         INTEGER PRIMARY KEY,
  patient_id INTEGER NOT NULL REFERENCES patients,
  title      TEXT NOT NULL,
  added_at   INTEGER NOT NULL,
  file       TEXT NOT NULL -- a token
);
CREATE INDEX IF NOT EXISTS documents_by_patient ON documents (patient_id, id);
