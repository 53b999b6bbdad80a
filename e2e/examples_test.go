package e2e_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/e2e/stack"
)

// The commands that "cloakroom dev" prints work when they are pasted.
func TestThePrintedCommandsRun(t *testing.T) {
	s := stack.Start(t)
	commands := regexp.MustCompile(`(?m)^  (?:JWT=|curl ).*$`).FindAllString(s.Out.String(), -1)
	require.Len(t, commands, 3, "printed:\n%s", s.Out)
	out, err := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(commands, "\n")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), `"tenant":"clinic"`)
	assert.Regexp(t, `"token":"tok-[0-9a-f-]{36}"`, string(out))
	assert.NotContains(t, string(out), `"errors"`)
}
