package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path"
	"slices"
)

// This file writes the part of SARIF 2.1.0 (OASIS) that code hosts read. It has its own structs, because the Go library for
// SARIF would add a JSON Schema validator without a release since 2019 to every build.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID string `json:"id"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	} `json:"region"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

func writeSARIF(w io.Writer, r *Report) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "cloakroom lint", InformationURI: "https://github.com/cloakroomhq/cloakroom", Rules: []sarifRule{}}
	for _, f := range r.Findings {
		index := slices.Index(run.Tool.Driver.Rules, sarifRule{f.Rule})
		if index < 0 {
			index = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{f.Rule})
		}
		run.Results = append(run.Results, sarifOf(f, index))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func sarifOf(f Finding, rule int) sarifResult {
	l := sarifLocation{Logical: []sarifLogical{{f.Coordinate, "member"}}}
	uri := url.URL{Path: f.File}
	if path.IsAbs(f.File) {
		uri.Scheme = "file"
	}
	l.Physical.Artifact.URI = uri.String()
	l.Physical.Region.StartLine, l.Physical.Region.StartColumn = max(1, f.Line), max(1, f.Column)
	// A finding's coordinate stays the same when its line changes.
	sum := sha256.Sum256([]byte(f.Rule + "\x00" + f.Coordinate))
	return sarifResult{
		RuleID: f.Rule, RuleIndex: rule, Level: f.Level, Message: sarifText{f.Coordinate + " " + f.Message},
		Locations: []sarifLocation{l}, Fingerprints: map[string]string{"finding/v1": hex.EncodeToString(sum[:16])},
	}
}
