package completion

import (
	"fmt"
	"strings"
)

// bash writes a function that follows the line's words through the commands, then offers the words that may come next. If
// there are none, bash offers files.
func bash(b *strings.Builder, name string, all []command) {
	fmt.Fprintf(b, "# bash completion of %[1]s. Load it with: source <(%[1]s completion bash)\n", name)
	fmt.Fprintf(b, "_%s() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= i\n", name)
	b.WriteString("    if [[ $cur == '=' ]]; then cur=; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n")
	b.WriteString("    for ((i = 1; i < COMP_CWORD; i++)); do\n        case \"$path ${COMP_WORDS[i]}\" in\n")
	for _, c := range all[1:] {
		fmt.Fprintf(b, "        %s) path=%s ;;\n", quote(" "+strings.Join(c.path, " ")), quote(" "+strings.Join(c.path, " ")))
	}
	b.WriteString("        esac\n    done\n    case \"$path:$prev\" in\n")
	for _, c := range all {
		for _, f := range c.flags {
			if !f.bare {
				fmt.Fprintf(b, "    %s) COMPREPLY=($(compgen -W %s -- \"$cur\")); return ;;\n",
					quote(joined(c.path)+":--"+f.name), quote(strings.Join(f.values, " ")))
			}
		}
	}
	b.WriteString("    esac\n    local words= flags=\n    case \"$path\" in\n")
	for _, c := range all {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, "--"+f.name)
		}
		fmt.Fprintf(b, "    %s) words=%s flags=%s ;;\n", quote(joined(c.path)), quote(strings.Join(c.words(), " ")), quote(strings.Join(flags, " ")))
	}
	b.WriteString("    esac\n    [[ $cur == -* ]] && words=$flags\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n")
	fmt.Fprintf(b, "complete -o default -F _%[1]s %[1]s\n", name)
}

func joined(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return " " + strings.Join(path, " ")
}

// zsh writes a function for each command; the function of a command with subcommands calls theirs.
func zsh(b *strings.Builder, name string, all []command) {
	fmt.Fprintf(b, "#compdef %[1]s\n# zsh completion of %[1]s. Write it to a file _%[1]s in a folder of $fpath.\n", name)
	for _, c := range all {
		function := "_" + strings.Join(append([]string{name}, c.path...), "_")
		fmt.Fprintf(b, "\n%s() {\n", function)
		specs := zshFlags(c)
		if len(c.children) == 0 {
			switch {
			case len(c.args) > 0:
				specs = append(specs, quote("1:argument:("+strings.Join(c.args, " ")+")"))
			case c.files:
				specs = append(specs, quote("*:file:_files"))
			}
			fmt.Fprintf(b, "    _arguments %s\n}\n", strings.Join(append([]string{"-s"}, specs...), " \\\n        "))
			continue
		}
		specs = append(specs, quote("1:command:->command"), quote("*::argument:->argument"))
		fmt.Fprintf(b, "    local curcontext=$curcontext state line\n    typeset -A opt_args\n    _arguments %s\n",
			strings.Join(append([]string{"-C"}, specs...), " \\\n        "))
		b.WriteString("    case $state in\n    command)\n        local -a commands=(\n")
		for _, child := range c.children {
			fmt.Fprintf(b, "            %s\n", quote(child.name+":"+child.help))
		}
		b.WriteString("        )\n        _describe command commands\n        ;;\n    argument)\n        case $line[1] in\n")
		for _, child := range c.children {
			fmt.Fprintf(b, "        %s) %s_%s ;;\n", child.name, function, child.name)
		}
		b.WriteString("        esac\n        ;;\n    esac\n}\n")
	}
	fmt.Fprintf(b, "\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n    _%[1]s \"$@\"\nelse\n    compdef _%[1]s %[1]s\nfi\n", name)
}

func zshFlags(c command) (specs []string) {
	help := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`)
	for _, f := range c.flags {
		value := ""
		switch {
		case f.bare:
		case len(f.values) > 0:
			value = ":value:(" + strings.Join(f.values, " ") + ")"
		default:
			value = ":value:_files"
		}
		mark := ""
		if value != "" {
			mark = "="
		}
		specs = append(specs, quote("--"+f.name+mark+"["+help.Replace(f.help)+"]"+value))
		if f.short != "" {
			specs = append(specs, quote("-"+f.short+"["+help.Replace(f.help)+"]"+value))
		}
	}
	return specs
}

// fish writes a line for each word, with the condition under which the word is offered.
func fish(b *strings.Builder, name string, all []command) {
	fmt.Fprintf(b, "# fish completion of %[1]s. Write it to ~/.config/fish/completions/%[1]s.fish.\n", name)
	for _, c := range all {
		condition := "__fish_use_subcommand"
		if len(c.path) > 0 {
			var seen []string
			for _, p := range c.path {
				seen = append(seen, "__fish_seen_subcommand_from "+p)
			}
			condition = strings.Join(seen, "; and ")
		}
		before := condition
		if len(c.path) > 0 && len(c.children) > 0 {
			var names []string
			for _, child := range c.children {
				names = append(names, child.name)
			}
			before += "; and not __fish_seen_subcommand_from " + strings.Join(names, " ")
		}
		for _, child := range c.children {
			fmt.Fprintf(b, "complete -c %s -f -n %s -a %s -d %s\n", name, quote(before), child.name, quote(child.help))
		}
		for _, a := range c.args {
			fmt.Fprintf(b, "complete -c %s -f -n %s -a %s\n", name, quote(condition), a)
		}
		for _, f := range c.flags {
			fmt.Fprintf(b, "complete -c %s -n %s -l %s -d %s", name, quote(condition), f.name, quote(f.help))
			if f.short != "" {
				fmt.Fprintf(b, " -s %s", f.short)
			}
			if !f.bare {
				b.WriteString(" -r")
			}
			if len(f.values) > 0 {
				fmt.Fprintf(b, " -f -a %s", quote(strings.Join(f.values, " ")))
			}
			b.WriteString("\n")
		}
	}
}
