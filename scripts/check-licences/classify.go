package main

import (
	"errors"
	"fmt"
	"strings"
)

// mark is the wording that identifies a licence: the text must have all of it.
type mark struct {
	licence string
	wording []string
}

// refused are licences that would bind users who link the program, or forbid some uses of it.
var refused = []mark{
	{"AGPL", []string{"gnu affero general public license"}},
	{"LGPL", []string{"gnu lesser general public license"}},
	{"LGPL", []string{"gnu library general public license"}},
	{"GPL", []string{"gnu general public license"}},
	{"MPL", []string{"mozilla public license"}},
	{"EPL", []string{"eclipse public license"}},
	{"SSPL", []string{"server side public license"}},
	{"CDDL", []string{"common development and distribution license"}},
	{"EUPL", []string{"european union public licence"}},
	{"OSL", []string{"open software license"}},
	{"BUSL", []string{"business source license"}},
	{"Commons Clause", []string{"commons clause"}},
	{"Elastic License", []string{"elastic license"}},
	{"PolyForm", []string{"polyform"}},
	{"CC BY-SA", []string{"sharealike"}},
	{"CC BY-NC", []string{"noncommercial"}},
}

// permitted are ordered from the longest wording to the shortest: BSD-3-Clause contains all of BSD-2-Clause.
var permitted = []mark{
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "names of its contributors may"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"MIT-0", []string{"permission is hereby granted, free of charge", "mit no attribution"}},
	{"MIT", []string{"permission is hereby granted, free of charge"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute", "above copyright notice"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute", "above copyright notice"}},
	{"0BSD", []string{"permission to use, copy, modify, and/or distribute"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
	{"public domain", []string{"public domain"}},
}

var errUnknown = errors.New("unknown licence: read it, then add it to scripts/check-licences")

// classify names the permissive licence of a text. One mention of a refused licence refuses the text, even if
// the licence is one of several or only mentioned: then a person has to read the text.
func classify(text string) (string, error) {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, m := range refused {
		if m.in(text) {
			return "", fmt.Errorf("mentions the %s", m.licence)
		}
	}
	for _, m := range permitted {
		if m.in(text) {
			return m.licence, nil
		}
	}
	return "", errUnknown
}

func (m mark) in(text string) bool {
	for _, w := range m.wording {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
