package clinic

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/cloakroomhq/cloakroom/examples/clinic/store"
)

// DemoPassword is the password of every demo user, and is shown in the login form. It protects demo data only.
const DemoPassword = "cloakroom"

// Addresses of the demo users.
const (
	DrAdams = "adams@clinic.example"
	DrBaker = "baker@clinic.example"
	Pat     = "pat@clinic.example" // a patient of Dr. Adams's
)

var demoUsers = []store.User{
	{Email: DrAdams, Name: "Dr. Adams", Role: store.Doctor},
	{Email: DrBaker, Name: "Dr. Baker", Role: store.Doctor},
	{Email: Pat, Name: "Pat Doe", Role: store.PatientRole},
}

// demoHash is calculated once, since hashing is slow by design.
var demoHash = sync.OnceValues(func() ([]byte, error) {
	return bcrypt.GenerateFromPassword([]byte(DemoPassword), hashCost)
})

var hashCost = bcrypt.DefaultCost // less in tests

// seedUsers adds the missing demo users. If none is missing it writes nothing, since the disk may be full.
func seedUsers(ctx context.Context, rows *store.Store) error {
	hash, err := demoHash()
	if err != nil {
		return err
	}
	users := make([]store.User, len(demoUsers))
	for i, u := range demoUsers {
		if users[i], _, err = rows.UserByEmail(ctx, u.Email); err == nil {
			continue
		}
		if users[i], err = rows.AddUser(ctx, u, string(hash)); err != nil {
			return fmt.Errorf("add the demo users: %w", err)
		}
	}
	return rows.LinkPatient(ctx, users[0], users[2])
}

// Seed adds one patient of the doctor for each token, which becomes the patient's social security number. It
// is for tests and benchmarks, and checks no grant.
func (c *Clinic) Seed(ctx context.Context, doctor string, tokens []string) error {
	user, _, err := c.store.UserByEmail(ctx, doctor)
	if err != nil {
		return fmt.Errorf("seed: %s: %w", doctor, err)
	}
	patients := make([]store.NewPatient, len(tokens))
	for i, token := range tokens {
		patients[i] = store.NewPatient{Name: fmt.Sprintf("Patient %d", i+1), SSN: &token}
	}
	_, _, err = c.store.AddPatients(ctx, user, patients, time.Now())
	return err
}
