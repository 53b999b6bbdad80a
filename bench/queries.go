package main

import (
	"encoding/json"
	"fmt"
)

// The operations, as a browser client sends them: all fields of a payload, tokens in variables.
const (
	signedFields = `{ method url headers { name value } expiresAt }`

	viewerQuery          = `query { viewer { subject sessionHash roles tenant expiresAt } }`
	detokenizeQuery      = `mutation($token: TokenID!) { detokenize(token: $token) { token download ` + signedFields + ` metadata { contentType } } }`
	tokenizeQuery        = `mutation($input: TokenizeInput) { tokenize(input: $input) { token upload ` + signedFields + ` expiresAt } }`
	detokenizeBatchQuery = `mutation($tokens: [TokenID!]!) { detokenizeBatch(tokens: $tokens) { ... on DetokenizePayload { token download ` + signedFields + ` metadata { contentType } } ... on TokenFailure { token code message } } }`
	tokenizeBatchQuery   = `mutation($inputs: [TokenizeInput!]!) { tokenizeBatch(inputs: $inputs) { token upload ` + signedFields + ` expiresAt } }`
)

// operations are the contenders' names, in the order of the report, and the goals of their ratios.
var operations = []struct {
	name string
	goal float64 // 0: none
	slow bool    // measured in every third round only, for three times as long
}{
	{"viewer", 0, false}, {"detokenize", 0.6, false}, {"tokenize", 0.25, false}, {"detokenizeBatch", 0.05, true}, {"tokenizeBatch", 0, true},
}

const (
	batch  = 100 // entries of the lists of the batch operations
	slowly = 3
)

// tokenizeInput is the input for every token: its size and media type are signed into the upload.
var tokenizeInput = map[string]any{"size": 1024, "metadata": map[string]any{"contentType": "text/plain"}}

func tokenizeInputs(n int) []any {
	inputs := make([]any, n)
	for i := range inputs {
		inputs[i] = tokenizeInput
	}
	return inputs
}

// body is a GraphQL request.
func body(query string, variables map[string]any) []byte {
	b, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		panic(err) // not reached: strings and numbers
	}
	return b
}

// raw is the whole HTTP request, ready to be written to a connection.
func raw(host, path, jwt string, body []byte) []byte {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Accept: application/json\r\nContent-Length: %d\r\n\r\n", path, host, jwt, len(body))
	return append([]byte(head), body...)
}
