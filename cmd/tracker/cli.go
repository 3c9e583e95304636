package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"tracker/config"
)

// console is where a command talks: its environment and its streams.
type console struct {
	getenv func(string) string
	stdout io.Writer
	stderr io.Writer

	transport http.RoundTripper // reaches the server; nil: over the network
}

// Exit codes of every command.
const (
	exitOK      = 0
	exitFailure = 1 // the command ran and failed
	exitUsage   = 2 // the command line was not understood
)

// commands is the command line. Each command has a file of its own.
type commands struct {
	Version kong.VersionFlag `help:"Print the version, and end."`

	Serve   serveCommand   `cmd:"" help:"Run the tracker: all roles in one process, or some of them."`
	Bank    bankCommand    `cmd:"" help:"Run the sandbox bank as a process of its own."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to date, and end."`
	Rebuild rebuildCommand `cmd:"" help:"Make the stream again from the database, and end."`

	Merchants merchantsCommand `cmd:"" help:"Make merchants and their first keys."`
	Receive   receiveCommand   `cmd:"" help:"Receive webhooks and check their signatures: a receiver to begin with."`
	Scenarios scenariosCommand `cmd:"" help:"Play the cases that decide whether a tracker can be trusted, and say which pass."`

	tools
}

// errParsed ends a parse that printed what was asked for, such as --help.
var errParsed = errors.New("parsed")

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (code int) {
	out := &console{getenv: getenv, stdout: stdout, stderr: stderr}
	parser, err := kong.New(&commands{},
		kong.Name("tracker"),
		kong.Description("The status of orders and payments, and every change to whoever waits for it."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { panic(errParsed) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		helpOfVariables(), kong.Vars{"version": version()},
	)
	if err != nil {
		fmt.Fprintln(stderr, "tracker:", err)
		return exitFailure
	}
	defer func() {
		if p := recover(); p != nil {
			if p != any(errParsed) {
				panic(p)
			}
			code = exitOK
		}
	}()
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "tracker: %v\nTry: %s --help\n", err, commandOf(err))
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(out); err != nil {
		fmt.Fprintln(stderr, "tracker:", err)
		if wrong := (*usageError)(nil); errors.As(err, &wrong) {
			fmt.Fprintf(stderr, "Try: %s --help\n", commandIn(parsed))
			return exitUsage
		}
		return exitFailure
	}
	return exitOK
}

// usageError says that the command line, or a variable that stands for a flag, is
// not what it must be. Nothing was done.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// misused makes a *usageError.
func misused(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// helpOfVariables offers the help text of each variable to the tags of the
// flags of the same name: ${addr_help} is the help of TRACKER_ADDR.
func helpOfVariables() kong.Vars {
	vars := kong.Vars{}
	for _, v := range config.Variables() {
		name := strings.ToLower(strings.TrimPrefix(v.Name, "TRACKER_")) + "_help"
		vars[name] = v.Help
		if v.Default != "" {
			vars[name] += " Default: " + v.Default + "."
		}
	}
	return vars
}

// version is what this program was built from: a tag, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "tracker (unknown)"
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	text := "tracker " + info.Main.Version
	if revision := set["vcs.revision"]; revision != "" && !strings.Contains(text, revision[:min(12, len(revision))]) {
		text += " " + revision
	}
	return text + " " + info.GoVersion
}

// commandOf is as much of the command as was understood before err.
func commandOf(err error) string {
	var wrong *kong.ParseError
	if !errors.As(err, &wrong) || wrong.Context == nil {
		return "tracker"
	}
	return commandIn(wrong.Context)
}

func commandIn(parsed *kong.Context) string {
	names := []string{"tracker"}
	for _, part := range parsed.Path {
		if part.Command != nil {
			names = append(names, part.Command.Name)
		}
	}
	return strings.Join(names, " ")
}
