package cloakroomtest_test

import (
	"os"
	"regexp"
	"testing"
)

// run runs a test inside of Example, as `go test` runs it, under the same name, so that -run and -skip choose both. Its lines go to
// standard error: under -v they would be part of the example's output.
func run(test func(t *testing.T)) {
	output := os.Stdout
	defer func() { os.Stdout = output }()
	os.Stdout = os.Stderr
	if !testing.RunTests(regexp.MatchString, []testing.InternalTest{{Name: "Example", F: test}}) {
		panic("the example's test failed")
	}
}
