package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroomhq/cloakroom/appkit"
	"github.com/cloakroomhq/cloakroom/client"
	"github.com/cloakroomhq/cloakroom/directives"
)

// A backend with @token in its schema creates and verifies grants through the client.
func Example() {
	var kit *appkit.Kit // see package appkit
	gateway, err := client.New(client.Options{
		Endpoint:    "https://gateway.example",
		Credentials: kit.ApplicationToken,
	})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := directives.New(directives.Options{
		Grants:  gateway,
		Session: func(ctx context.Context) (string, bool) { id, ok := ctx.Value("session").(string); return id, ok },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens.ExtensionName())
	// Output: CloakroomTokens
}

// Errors are distinguished by their codes.
func ExampleError() {
	err := error(&client.Error{Code: client.ErrGrantRequired, Message: "No such token, or no grant.", Path: []any{"detokenize", "token"}})
	if errors.Is(err, client.ErrGrantRequired) {
		fmt.Println(err)
	}
	// Output: cloakroom: GRANT_REQUIRED: No such token, or no grant. (at detokenize.token)
}

// An application stores a value in its user's session, which the session's JWT names.
func ExampleClient_Tokenize() {
	gateway, err := client.New(client.Options{
		Endpoint: "https://gateway.example",
		Credentials: func(context.Context) (string, time.Time, error) {
			return "", time.Time{}, errors.New("sign in first") // appkit.Kit.SessionToken makes one
		},
		HTTPClient: http.DefaultClient,
	})
	if err != nil {
		log.Fatal(err)
	}
	const value = "123-45-6789"
	ctx := context.Background()
	made, err := gateway.Tokenize(ctx, client.Value{Size: new(int64(len(value))), TTL: 30 * 24 * time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := gateway.Upload(ctx, made, strings.NewReader(value), int64(len(value))); err != nil {
		log.Fatal(err)
	}
	redeemed, err := gateway.Detokenize(ctx, made.Token)
	if err != nil {
		log.Fatal(err)
	}
	body, err := gateway.Download(ctx, redeemed)
	if err != nil {
		log.Fatal(err)
	}
	defer body.Close()
	_, _ = io.Copy(io.Discard, body)
	// Output: client: credentials: sign in first
}
