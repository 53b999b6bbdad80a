package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassify(t *testing.T) {
	ours, err := os.ReadFile("../../LICENSE")
	require.NoError(t, err)
	bsd := "Redistribution and use in source and binary forms, with or\nwithout modification, are permitted"
	for text, want := range map[string]string{
		string(ours): "Apache-2.0",
		"Permission is hereby granted, free of\n charge, to any person": "MIT",
		bsd:                                     "BSD-2-Clause",
		bsd + "\n * Neither the name of Google": "BSD-3-Clause",
		"Permission to use, copy, modify, and distribute this software, provided that the above copyright notice": "ISC",
		"SQLite is in the Public Domain": "public domain",
	} {
		t.Run(text, func(t *testing.T) {
			got, err := classify(text)
			require.NoError(t, err, text)
			require.Equal(t, want, got, text)
		})
	}
	for _, text := range []string{
		"GNU AFFERO GENERAL PUBLIC\nLICENSE", "GNU Lesser General Public License", "the GNU General Public License, version 2",
		"Mozilla Public License Version 2.0", "Eclipse Public License - v 2.0", "Server Side Public License",
		"MIT: Permission is hereby granted, free of charge; or the GNU General Public License",
		"All rights reserved.", "",
	} {
		_, err := classify(text)
		require.Error(t, err, text)
	}
}

// The error names a copyleft module that a change would link.
func TestRefusesLinkedModule(t *testing.T) {
	dir := t.TempDir()
	m := &linked{name: "example.org/m v1.0.0", root: dir, folders: map[string]bool{dir: true}}
	_, err := m.licences()
	require.ErrorContains(t, err, "example.org/m v1.0.0: no licence file")
	require.NoError(t, os.WriteFile(dir+"/LICENSE.txt", []byte("Mozilla Public License, version 2.0"), 0o600))
	_, err = m.licences()
	require.ErrorContains(t, err, "example.org/m v1.0.0: LICENSE.txt: mentions the MPL")
}
