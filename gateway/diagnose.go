package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/internal/credential"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/models/sqlite"
)

// Diagnose checks what can keep a gateway with these settings from starting, or from accepting its callers: settings,
// keyset, database, object store and its CORS rules, each issuer's keys and clock. With a JWT, it reports whether the
// gateway accepts the JWT, and why not. It runs the gateway's own code and changes nothing but the store's canary. The
// diagnosis has no secret, and nothing of the JWT but names and times.
func Diagnose(ctx context.Context, cfg *Config, jwt string) Diagnosis {
	var d Diagnosis
	if err := cfg.Verify(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			d.add(Failed, "settings", "%s", strings.TrimPrefix(line, "config: "))
		}
		d.add(Note, "settings", "nothing else is checked until they are right")
		return d
	}
	d.add(OK, "settings", "%d issuers; store %s", len(cfg.Issuers), cfg.Objects.Store)
	g := &Gateway{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	defer func() {
		for _, c := range g.closers {
			_ = c(ctx)
		}
	}()
	d.database(ctx, cfg, d.keyset(cfg))
	d.objects(ctx, g)
	d.gateway(ctx, cfg.HTTP.PublicURL)
	auth, err := g.newAuthenticator(nil, unobserved{})
	if err != nil {
		d.add(Failed, "issuers", "%v", err)
		return d
	}
	d.issuers(auth.Ask(ctx), cfg)
	d.frames(cfg)
	if jwt != "" {
		d.jwt(auth.Explain(ctx, jwt))
	}
	return d
}

// gateway asks whether anything answers where callers expect the gateway. It is a note: a diagnosis may come before the start.
func (d *Diagnosis) gateway(ctx context.Context, publicURL string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(publicURL, "/")+"/readyz", nil)
	if err != nil {
		d.add(Failed, "gateway", "%v", err)
		return
	}
	answer, err := (&http.Client{}).Do(r)
	if err != nil {
		d.add(Note, "gateway", "nothing answers at %s (http.public_url): start the gateway, or look at the network in between: %v", publicURL, err)
		return
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		d.add(Note, "gateway", "%s/readyz answers with status %d: its body says what is not ready", strings.TrimSuffix(publicURL, "/"), answer.StatusCode)
		return
	}
	d.add(OK, "gateway", "ready at %s", publicURL)
}

// unobserved counts nothing.
type unobserved struct{}

// Credential implements credential.Observer.
func (unobserved) Credential(string) {}

func (d *Diagnosis) keyset(cfg *Config) *keyring.Keyring {
	keys, err := keyring.LoadFile(cfg.Keys.File)
	switch {
	case errors.Is(err, fs.ErrNotExist) && cfg.Keys.Create:
		d.add(Note, "keyset", "%s does not exist yet; the gateway makes it (keys.create)", cfg.Keys.File)
	case errors.Is(err, fs.ErrNotExist):
		d.add(Failed, "keyset", "%s does not exist; `cloakroom keys create %s` makes it, once", cfg.Keys.File, cfg.Keys.File)
	case err != nil:
		d.add(Failed, "keyset", "%v", err)
	default:
		d.add(OK, "keyset", "%s", cfg.Keys.File)
	}
	return keys
}

func (d *Diagnosis) database(ctx context.Context, cfg *Config, keys *keyring.Keyring) {
	path := cfg.Database.Path
	found, err := sqlite.Inspect(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if info, err := os.Stat(filepath.Dir(path)); err == nil && !info.IsDir() {
			d.add(Failed, "database", "%s is not a folder", filepath.Dir(path))
			return
		}
		d.add(Note, "database", "%s does not exist yet; the gateway makes it", path)
	case err != nil:
		d.add(Failed, "database", "%v", err)
	case found.Have > found.Want:
		d.add(Failed, "database", "its schema has version %d, newer than this program's %d; start a newer cloakroom", found.Have, found.Want)
	case keys != nil && found.KeysetMark != nil && keys.Check(found.KeysetMark) != nil:
		d.add(Failed, "database", "%s is not the keyset that sealed %s; name the keyset that belongs to the database", cfg.Keys.File, path)
	case keys != nil && missingPurpose(keys, found.Purposes) != "":
		d.add(Failed, "database", "%s lacks the master key of the keys for %s; name the keyset that has all master keys of %s", cfg.Keys.File, missingPurpose(keys, found.Purposes), path)
	case found.Have < found.Want:
		d.add(Note, "database", "schema version %d of %d; the gateway migrates it when it starts", found.Have, found.Want)
	default:
		d.add(OK, "database", "%s, schema version %d", path, found.Have)
	}
}

// missingPurpose returns the first purpose whose keys the keyset can't open; "" for none.
func missingPurpose(keys *keyring.Keyring, purposes map[string][]byte) string {
	for _, name := range slices.Sorted(maps.Keys(purposes)) {
		if keys.CheckPurpose(name, purposes[name]) != nil {
			return name
		}
	}
	return ""
}

func (d *Diagnosis) issuers(answers []credential.Answer, cfg *Config) {
	granting := false
	for _, i := range cfg.Issuers {
		granting = granting || i.TrustRoles
	}
	if !granting {
		d.add(Note, "issuers", "none has trust_roles: no application can create grants; set it for the application's own issuer")
	}
	for _, a := range answers {
		topic := "issuer " + a.Issuer
		switch {
		case a.Err != nil:
			d.add(Failed, topic, "no keys from %s: %v", a.From, a.Err)
		default:
			d.add(OK, topic, "%d keys from %s: %s", len(a.Keys), a.From, strings.Join(a.Keys, ", "))
		}
		for _, l := range a.Unused {
			d.add(Note, topic, "not used: %s", l)
		}
		if a.Err == nil && len(a.Unsignable) > 0 {
			d.add(Note, topic, "no key for %s of its algorithms, which is right if it does not sign by them", strings.Join(a.Unsignable, ", "))
		}
		d.clock(topic, a.Clocked, a.Ahead, cfg.Credentials.ClockSkew)
	}
}

// frames names the issuers whose values only the gateway's own pages read.
func (d *Diagnosis) frames(cfg *Config) {
	for _, i := range cfg.Issuers {
		if framed(cfg)[i.TenantName()] {
			d.add(OK, "issuer "+i.Name, "detokenize.from is frame for the tenant %s: its values are read by pages of %s alone, with the gateway's cookie (same_site %s)",
				i.TenantName(), cfg.HTTP.PublicURL, cfg.SignIn.Cookie.SameSite)
		}
	}
}

// clock compares with a Date header, which has whole seconds and took some time to arrive.
func (d *Diagnosis) clock(topic string, told bool, ahead, skew time.Duration) {
	const coarse = 2 * time.Second
	switch {
	case !told:
	case ahead.Abs() > skew+coarse:
		d.add(Failed, topic, "its clock and this machine's differ by %s; credentials.clock_skew allows %s; set both clocks by NTP", ahead.Abs(), skew)
	default:
		d.add(OK, topic, "its clock and this machine's agree")
	}
}

func (d *Diagnosis) jwt(why *credential.Explanation) {
	for _, c := range why.Checks {
		topic := "jwt: " + string(c.Reason)
		if c.Err == nil {
			d.add(OK, topic, "%s", c.Given)
			continue
		}
		text := c.Err.Error()
		if c.Want != "" {
			text += "; expected " + c.Want
		}
		if c.Given != "" {
			text += "; given " + c.Given
		}
		d.add(Failed, topic, "%s", text)
	}
	if who := why.Caller; who != nil {
		as := "the application"
		if who.Session != nil {
			as = fmt.Sprintf("a session, whose hash is %s", who.Session)
		}
		d.add(OK, "jwt", "accepted: issuer %s, tenant %s, roles %q, as %s, until %s", why.Issuer, who.Tenant, who.Roles, as, who.ExpiresAt.Format(time.RFC3339))
		return
	}
	d.add(Failed, "jwt", "refused")
}
