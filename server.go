// Cloakroom is a GraphQL tokenization gateway; see README.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/cloakroomhq/cloakroom/gateway"
	"github.com/cloakroomhq/cloakroom/internal/dev"
	"github.com/cloakroomhq/cloakroom/internal/keyring"
	"github.com/cloakroomhq/cloakroom/internal/settings"
)

// gcPercent lets the heap grow to four times the live data before a collection. The live data is a few MiB, so
// Go's default of 100 would collect every few hundred requests; see docs/adr/0010. GOGC overrides it.
const gcPercent = 300

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code(err, os.Stderr))
}

// code prints an error and returns its exit code.
func code(err error, stderr io.Writer) int {
	var own *exit
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &own):
		own = &exit{1, err.Error()}
	}
	if own.text != "" {
		_, _ = fmt.Fprintln(stderr, "cloakroom:", own.text)
	}
	return own.code
}

// process is the environment of a command.
type process struct {
	environ     []string
	out, stderr io.Writer
}

func (p *process) println(line string) error {
	_, err := fmt.Fprintln(p.out, line)
	return err
}

func run(ctx context.Context, args, environ []string, out, stderr io.Writer) error {
	var exited bool
	parser, err := kong.New(&commands{}, kong.Name("cloakroom"), kong.Description("A GraphQL tokenization gateway."),
		kong.Writers(out, stderr), kong.Exit(func(int) { exited = true }), kong.UsageOnError(), kong.Vars{"version": versionLine()},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&process{environ, out, stderr}))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if exited { // --help or --version has been printed; later errors of the parser don't count
		return nil
	}
	if err != nil {
		return &exit{2, err.Error()}
	}
	return parsed.Run(parser)
}

type devCommand struct {
	Data          string `default:".cloakroom" help:"Folder of everything that is kept."`
	Listen        string `default:"127.0.0.1:8080" help:"Address of the gateway."`
	ObjectsListen string `default:"127.0.0.1:8081" help:"Address of the object store."`
	AppListen     string `placeholder:"127.0.0.1:8082" xor:"app" help:"Address of the example application."`
	App           string `xor:"app" placeholder:"URL" help:"Base URL of your own application, such as http://localhost:3000: trust it, and start no example."`
	Config        string `type:"existingfile" help:"YAML file of settings; CLOAKROOM_… variables override it."`
	LogLevel      string `default:"warn" enum:"debug,info,warn,error" help:"What to log: debug, info, warn or error."`
}

// Validate refuses addresses that other machines can reach. The parser reports the error with the flag.
func (c *devCommand) Validate() error {
	return dev.Options{Listen: c.Listen, ObjectsListen: c.ObjectsListen, AppListen: c.appListen()}.Verify()
}

// appListen returns the address or its default. As the flag's own default it would count as given, and exclude --app.
func (c *devCommand) appListen() string { return cmp.Or(c.AppListen, "127.0.0.1:8082") }

// Run starts the development stack.
func (c *devCommand) Run(ctx context.Context, p *process) error {
	log, err := newLogger(p.stderr, c.LogLevel, "text")
	if err != nil {
		return err
	}
	return dev.Run(ctx, dev.Options{
		Data: c.Data, Listen: c.Listen, ObjectsListen: c.ObjectsListen, AppListen: c.appListen(),
		App: c.App, Config: c.Config, Environ: p.environ, Logger: log, Out: p.out,
	})
}

type serveCommand struct {
	Config string `type:"existingfile" help:"YAML file of settings; CLOAKROOM_… variables override it."`
}

// Run starts a gateway.
func (c *serveCommand) Run(ctx context.Context, p *process) error {
	cfg, err := gateway.LoadConfig(c.Config, p.environ)
	if err != nil {
		return err
	}
	log, err := newLogger(p.stderr, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return err
	}
	g, err := gateway.New(ctx, cfg, log)
	if err != nil {
		return err
	}
	return g.Serve(ctx, gateway.Listeners{})
}

type configCommand struct {
	Config string `type:"existingfile" help:"YAML file of settings; CLOAKROOM_… variables override it."`
}

// Run prints the settings, then their problems.
func (c *configCommand) Run(p *process) error {
	cfg, err := gateway.LoadConfig(c.Config, p.environ)
	if err != nil {
		return err
	}
	b, err := settings.Print(cfg)
	if err != nil {
		return err
	}
	if _, err := p.out.Write(b); err != nil {
		return err
	}
	return cfg.Verify()
}

type keysCommand struct {
	Create keysCreateCommand `cmd:"" help:"Make a keyset in a file that only its owner may read."`
}

type keysCreateCommand struct {
	File string `arg:"" help:"Where to write the keyset; it must not exist."`
}

// Run makes a keyset.
func (c *keysCreateCommand) Run(p *process) error {
	if err := keyring.CreateFile(c.File); err != nil {
		return err
	}
	return p.println("Made " + c.File + ". Keep a copy in a safe place: without it no token can be read again.")
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("config: log.level: %q is not one of debug, info, warn, error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return slog.New(slog.NewJSONHandler(w, o)), nil
}
