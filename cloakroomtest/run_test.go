package cloakroomtest_test

import (
	"os"
	"testing"
)

// run runs a test inside an example, as `go test` runs it. Its lines go to standard error: under -v they would be part of the example's
// output.
func run(test func(t *testing.T)) {
	output := os.Stdout
	defer func() { os.Stdout = output }()
	os.Stdout = os.Stderr
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "Test", F: test}}) {
		panic("the example's test failed")
	}
}
