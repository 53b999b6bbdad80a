// Package e2e tests the whole system over HTTP: the programs that "cloakroom dev" starts, from outside.
package e2e_test

import (
	"os"
	"testing"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

func TestMain(m *testing.M) {
	code := m.Run()
	stack.CleanUp()
	os.Exit(code)
}
