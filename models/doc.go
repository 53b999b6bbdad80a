// Package models is what the gateway keeps in its database, and what it asks of an engine: the row types, the contract
// Rows, and Batch, the one way to change something. The engines are packages below this one (sqlite); modelstest is the
// suite that each of them passes.
//
// Rows are never bound to GraphQL types. Every table is keyed by uniform hashes. Moments are Unix milliseconds, so that
// all engines and drivers agree on them.
package models
