// Package caller has the caller of a request: the content of a verified credential, carried in the context.
package caller

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// Roles of an application's backend. A caller without them is an end user's session.
const (
	RoleApplication = "application"
	RoleAdmin       = "admin"
)

// Reasons why a session, or a part of it, ends before its credentials expire, as the metrics count them.
const (
	EndedByApplication = "application"
	EndedByBackChannel = "back_channel"
	EndedBySignOut     = "sign_out"
)

// SessionHash stands for a session, a sign-in or a subject; HashSession, HashLogin and HashSubject make it.
type SessionHash = ids.SessionHash

// Caller is a verified credential. Requests share it: do not change it.
type Caller struct {
	Tenant    string
	Subject   string
	Session   *SessionHash // nil for an application or admin
	Login     *SessionHash // the sign-in that made a cookie; nil for any other credential
	Roles     []string     // RoleApplication, RoleAdmin or none
	IssuedAt  time.Time    // UTC
	ExpiresAt time.Time    // UTC

	// Ambient says that the browser sent the credential by itself, as it sends a cookie, so that any page could
	// have caused the request.
	Ambient bool
}

// HashSession returns the hash that stands for a tenant's session: SHA-256 over a domain name and the
// two strings, each with its length in front so that no two pairs collide.
func HashSession(tenant, id string) SessionHash {
	return hash("cloakroom/session/v1", tenant, id)
}

// HashLogin returns the hash that stands for one of a tenant's sign-ins. It is like that of a session, with its own domain
// name.
func HashLogin(tenant string, id []byte) SessionHash {
	return hash("cloakroom/login/v1", tenant, string(id))
}

// HashSubject returns the hash that stands for a tenant's subject. It is like that of a session, with its own domain name.
func HashSubject(tenant, subject string) SessionHash {
	return hash("cloakroom/subject/v1", tenant, subject)
}

// hash allocates nothing unless the parts are long: once any subject has ended, every request hashes its subject.
func hash(domain, tenant, id string) SessionHash {
	var short [512]byte
	b := append(short[:0], domain...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(tenant))), tenant...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(id))), id...)
	return sha256.Sum256(b)
}

// IsApplication reports whether the caller is an application's backend (an admin counts as one).
func (c *Caller) IsApplication() bool {
	return slices.Contains(c.Roles, RoleApplication) || slices.Contains(c.Roles, RoleAdmin)
}

type key struct{}

// With returns a context that carries c.
func With(ctx context.Context, c *Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From returns the context's caller, or nil if the request had no credential.
func From(ctx context.Context) *Caller {
	c, _ := ctx.Value(key{}).(*Caller)
	return c
}

// Require returns the context's caller, or a fault UNAUTHENTICATED.
func Require(ctx context.Context) (*Caller, error) {
	if c := From(ctx); c != nil {
		return c, nil
	}
	return nil, fault.New(fault.Unauthenticated, "The request has no credential: sign in.")
}

// RequireSession returns the caller and its session, or a fault: UNAUTHENTICATED without
// credentials, FORBIDDEN for a caller that is not a session.
func RequireSession(ctx context.Context) (*Caller, error) {
	c, err := Require(ctx)
	if err != nil {
		return nil, err
	}
	if c.Session == nil {
		return nil, fault.New(fault.Forbidden, "Only an end user's session may do this.")
	}
	return c, nil
}

// RequireApplication returns the caller, or a fault: UNAUTHENTICATED without credentials,
// FORBIDDEN for an end user's session.
func RequireApplication(ctx context.Context) (*Caller, error) {
	c, err := Require(ctx)
	if err != nil {
		return nil, err
	}
	if !c.IsApplication() {
		return nil, fault.New(fault.Forbidden, "Only an application may do this.")
	}
	return c, nil
}
