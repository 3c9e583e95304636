package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand teaches a shell to complete our command lines.
type completionCommand struct {
	Shell string   `arg:"" enum:"bash,zsh,fish,candidates" help:"bash, zsh or fish."`
	Words []string `arg:"" optional:"" hidden:""` // what bash adds; the line itself says it all
}

// Help is the longer help of the command.
func (completionCommand) Help() string {
	return `Put the line that it prints where your shell reads it, for example:

    tracker completion bash >> ~/.bashrc
    tracker completion zsh  >> ~/.zshrc
    tracker completion fish >> ~/.config/fish/config.fish`
}

// Run prints the line for the shell, or the candidates for the line typed.
func (c *completionCommand) Run(_ context.Context, out *console, parser *kong.Kong) error {
	switch c.Shell {
	case "bash":
		fmt.Fprintln(out.stdout, `complete -o default -C "tracker completion candidates" tracker`)
	case "zsh":
		fmt.Fprintln(out.stdout, `autoload -U +X bashcompinit && bashcompinit && complete -o default -C "tracker completion candidates" tracker`)
	case "fish":
		fmt.Fprintln(out.stdout, `complete -c tracker -a '(COMP_LINE=(commandline -cp) tracker completion candidates)'`)
	case "candidates":
		for _, word := range candidates(parser.Model.Node, out.getenv("COMP_LINE")) {
			fmt.Fprintln(out.stdout, word)
		}
	}
	return nil
}

// candidates are the words that may come next on a line: the commands below the
// one that is typed already, or its flags.
func candidates(node *kong.Node, line string) []string {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	words = words[1:] // the program
	begun := ""
	if !strings.HasSuffix(line, " ") && len(words) > 0 {
		begun, words = words[len(words)-1], words[:len(words)-1]
	}
	for _, word := range words {
		if child := below(node, word); child != nil {
			node = child
		}
	}
	var list []string
	if strings.HasPrefix(begun, "-") {
		for _, flags := range node.AllFlags(true) {
			for _, flag := range flags {
				list = append(list, "--"+flag.Name)
			}
		}
	} else {
		for _, child := range node.Children {
			if !child.Hidden {
				list = append(list, child.Name)
			}
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(list, func(word string) bool { return !strings.HasPrefix(word, begun) })
}

func below(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name && child.Type == kong.CommandNode {
			return child
		}
	}
	return nil
}
