package lint

import (
	"encoding/json"
	"fmt"
	"io"
)

// formats are the formats that Write supports.
var formats = map[string]func(io.Writer, *Report) error{"text": writeText, "json": writeJSON, "sarif": writeSARIF}

// Write writes a report as text (a line for each finding), JSON or SARIF 2.1.0.
func Write(w io.Writer, format string, r *Report) error {
	write, ok := formats[format]
	if !ok {
		return fmt.Errorf("lint: %q is none of text, json, sarif", format)
	}
	return write(w, r)
}

func writeText(w io.Writer, r *Report) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "%s:%d:%d: %s: %s: %s [%s]\n", f.File, f.Line, f.Column, f.Level, f.Coordinate, f.Message, f.Rule); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Version int `json:"version"`
		*Report
	}{1, r})
}
