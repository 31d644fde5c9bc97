"""`sparkdesk completion`: a script that completes commands, options and files in a shell."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkdesk.cli.command_tree import Command

SHELLS = ("bash", "zsh", "fish")
_BASH = """\
_sparkdesk() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path="" word words=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path $word" in
{paths}
        esac
    done
    case "$path" in
{words}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    case "$previous" in
        {with_value}) [[ $current == -* ]] || COMPREPLY=() ;;
    esac
}}
complete -o default -F _sparkdesk sparkdesk
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")
    parser.epilog = (
        'bash: eval "$(sparkdesk completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc, after compinit. '
        "fish: sparkdesk completion fish > ~/.config/fish/completions/sparkdesk.fish"
    )


def run(options: Namespace) -> int:
    script = {"bash": _bash, "zsh": lambda: f"autoload -Uz bashcompinit && bashcompinit\n{_bash()}", "fish": _fish}
    print(script[options.shell](), end="")
    return 0


def _bash() -> str:
    from sparkdesk.cli.command_tree import commands

    known = list(commands())
    places = {each: "".join(f" {name}" for name in each.path) for each in known}
    paths = [f'            "{place}") path="{place}" ;;' for place in places.values() if place]
    words = [f'        "{place}") words="{" ".join(_words(each))}" ;;' for each, place in places.items()]
    with_value = sorted({name for each in known for option in each.options if option.metavar for name in option.names})
    return _BASH.format(paths="\n".join(paths), words="\n".join(words), with_value="|".join(with_value))


def _words(command: "Command") -> list[str]:
    return [*command.subcommands, *(name for option in command.options for name in option.names)]


def _fish() -> str:
    from sparkdesk.cli.command_tree import commands

    lines = []
    for each in commands():
        if not each.path:
            place = "__fish_use_subcommand"
        else:
            place = " && ".join(f"__fish_seen_subcommand_from {name}" for name in each.path)
        for option in each.options:
            flags = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = " -r" if option.metavar else ""
            lines.append(f"complete -c sparkdesk -n '{place}' {flags}{value} -d {_quoted(option.help)}")
        if each.path:
            before = "__fish_use_subcommand" if len(each.path) == 1 else f"__fish_seen_subcommand_from {each.path[0]}"
            lines.append(f"complete -c sparkdesk -f -n '{before}' -a {each.path[-1]} -d {_quoted(each.summary)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
