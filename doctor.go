package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cloakroomhq/cloakroom/gateway"
)

type doctorCommand struct {
	Config string `type:"existingfile" help:"YAML file of settings; CLOAKROOM_… variables override it."`
	JWT    string `name:"jwt" placeholder:"FILE" help:"File with a JWT to explain; - reads it from standard input."`
}

// stdin is the reader for the argument -.
var stdin io.Reader = os.Stdin

// maxInput bounds a JWT's file, in bytes; the gateway itself accepts less.
const maxInput = 1 << 20

// Run prints the problems of a gateway's settings and environment. The exit code is 0 for no problem, 1 for some, and 2 if
// the JWT can't be read.
func (c *doctorCommand) Run(ctx context.Context, p *process) error {
	jwt, err := c.readJWT()
	if err != nil {
		return &exit{2, "doctor: " + err.Error()}
	}
	cfg, err := gateway.LoadConfig(c.Config, p.environ)
	if err != nil {
		return err
	}
	found := gateway.Diagnose(ctx, cfg, jwt)
	if err := found.Write(p.out); err != nil {
		return err
	}
	if found.Failed() {
		return &exit{code: 1}
	}
	return nil
}

// readJWT reads the JWT, also with the header's Bearer in front. It is never an argument: other users can see arguments.
func (c *doctorCommand) readJWT() (string, error) {
	if c.JWT == "" {
		return "", nil
	}
	from := stdin
	if c.JWT != "-" {
		f, err := os.Open(c.JWT)
		if err != nil {
			if strings.HasPrefix(c.JWT, "eyJ") { // the error would quote the JWT
				return "", fmt.Errorf("--jwt names a file; pipe the JWT in, with --jwt -")
			}
			return "", err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxInput))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if scheme, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(scheme, "Bearer") {
		text = strings.TrimSpace(rest)
	}
	if text == "" {
		return "", fmt.Errorf("the input has no JWT")
	}
	return text, nil
}
