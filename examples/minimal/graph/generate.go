// Package graph is the minimal backend's schema, and the executor that gqlgen generates from it.
package graph

//go:generate sh -c "cd .. && go tool gqlgen generate"
