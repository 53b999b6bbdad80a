package main

import (
	"github.com/alecthomas/kong"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/completion"
)

// commands is the table of the command line: a field adds a command. Help and completion are made from it; a test compares
// docs/commands.md.
type commands struct {
	Dev        devCommand        `cmd:"" help:"Start a gateway, an object store and an example application on loopback."`
	Serve      serveCommand      `cmd:"" help:"Start a gateway."`
	Config     configCommand     `cmd:"" help:"Print the effective settings, secrets masked, and check them."`
	Doctor     doctorCommand     `cmd:"" help:"Find what is wrong: settings, database, store, CORS, clocks, issuers, and a JWT."`
	Keys       keysCommand       `cmd:"" help:"Manage the keyset."`
	Lint       lintCommand       `cmd:"" help:"Report sensitive fields of a schema that carry no @token, and uses of it that can't work."`
	Completion completionCommand `cmd:"" help:"Print a script that completes the command line in a shell."`
	Help       helpCommand       `cmd:"" help:"Explain a command."`
	Version    versionCommand    `cmd:"" help:"Print the version."`

	PrintVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

// versionLine returns the line that the command version and the flag --version print.
func versionLine() string { return "cloakroom " + gateway.Version }

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(p *process) error { return p.println(versionLine()) }

type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, such as: keys create."`
}

// Run prints what --help of the command prints.
func (c *helpCommand) Run(parser *kong.Kong) error {
	about, err := kong.Trace(parser, c.Command)
	if err != nil {
		return err
	}
	if about.Error != nil {
		return &exit{2, about.Error.Error()}
	}
	return about.PrintUsage(false)
}

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script.
func (c *completionCommand) Run(p *process, parser *kong.Kong) error {
	return completion.Write(p.out, c.Shell, parser.Model)
}
