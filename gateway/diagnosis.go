package gateway

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// State is the result of one check of a diagnosis.
type State string

// States.
const (
	OK     State = "ok"
	Note   State = "note"   // worth knowing; nothing is wrong
	Failed State = "FAILED" // the gateway does not start, or some callers are refused
)

// Finding is one check: its topic, and its result as one line of printable characters.
type Finding struct {
	State       State
	Topic, Text string
}

// Diagnosis is the list of findings, in the order of the checks.
type Diagnosis []Finding

// Failed reports whether anything is wrong.
func (d Diagnosis) Failed() bool {
	for _, f := range d {
		if f.State == Failed {
			return true
		}
	}
	return false
}

// Write writes one line for each finding. It returns the first error of w unchanged.
func (d Diagnosis) Write(w io.Writer) error {
	width := 0
	for _, f := range d {
		width = max(width, len(f.Topic))
	}
	for _, f := range d {
		if _, err := fmt.Fprintf(w, "%-6s  %-*s  %s\n", f.State, width, f.Topic, f.Text); err != nil {
			return err
		}
	}
	return nil
}

func (d *Diagnosis) add(state State, topic, format string, args ...any) {
	*d = append(*d, Finding{state, topic, oneLine(fmt.Sprintf(format, args...))})
}

// oneLine makes a text printable and short: errors may quote a server's response.
func oneLine(s string) string {
	const most = 1000
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
