// Package models has the row types of the gateway's database, the contract Rows that a database engine implements, and
// Batch, the only way to change rows. The engines are packages below this one (sqlite); modelstest is the suite that each
// of them passes.
//
// Rows are never bound to GraphQL types. Every table is keyed by uniform hashes. Moments are Unix milliseconds, so that
// all engines and drivers agree on them.
package models
