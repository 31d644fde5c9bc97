"""argparse with our manners: what is wrong is a UsageError, in one sentence, with what was probably meant."""

import re
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

from sparkdesk.errors import UsageError

_INVALID_CHOICE = re.compile(r"argument (?P<what>\S+): invalid choice: '(?P<given>.*?)' \(choose from ")


class Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if found := _INVALID_CHOICE.match(message):
            self._refuse_word(found["what"], found["given"])
        raise UsageError(_sentence(message.removeprefix("argument ")), self._see_help())

    def parse(self, arguments: Sequence[str]) -> Namespace:
        """Like `parse_args`, but what is unknown is refused by the command it was given to, which knows the rest."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            [*_, leaf] = self._chosen(options)
            leaf.refuse(next((each for each in unknown if each.startswith("-")), unknown[0]))
        return options

    def refuse(self, unknown: str) -> NoReturn:
        name = unknown.split("=")[0]
        if not name.startswith("-"):
            raise UsageError(f"Unexpected argument: {unknown!r}.", self._see_help())
        hint = f"{_did_you_mean(name, self._option_string_actions)} {self._see_help()}".strip()
        raise UsageError(f"{self.prog} has no option {name}.", hint)

    def first_word(self, arguments: Sequence[str]) -> str | None:
        """The first argument that is neither an option nor an option's value. Raises UsageError for an unknown option:
        whether the next argument is its value, nobody can tell."""
        words = iter(arguments)
        for word in words:
            if not word.startswith("-"):
                return word
            name, *value = word.split("=", 1)
            action = self._option_string_actions.get(name)
            if action is None:
                self.refuse(word)
            if action.nargs is None and not value:
                next(words, None)
        return None

    def _refuse_word(self, what: str, given: str) -> None:
        known = self._subcommands()
        if what not in ("COMMAND", "SUBCOMMAND") or not known:
            return
        hint = _did_you_mean(given, known) or f"There are {', '.join(known)}."
        kind = "command" if what == "COMMAND" else f"subcommand of {self.prog}"
        raise UsageError(f"{given!r} is not a {kind}.", f"{hint} {self._see_help()}")

    def _chosen(self, options: Namespace) -> "Iterator[Parser]":
        """This parser, and those of the command and subcommand that were chosen."""
        yield self
        for action in self._actions:
            if isinstance(action, _SubParsersAction):
                chosen = action.choices.get(getattr(options, action.dest, None) or "")
                if isinstance(chosen, Parser):
                    yield from chosen._chosen(options)

    def _subcommands(self) -> tuple[str, ...]:
        return tuple(name for each in self._actions if isinstance(each, _SubParsersAction) for name in each.choices)

    def _see_help(self) -> str:
        return f"See {self.prog} --help."


def _did_you_mean(given: str, known: Iterable[str]) -> str:
    """Empty where nothing is like it."""
    from difflib import get_close_matches  # nobody who types well needs it

    close = get_close_matches(given, known, n=1)
    return f"Did you mean {close[0]}?" if close else ""


def _sentence(message: str) -> str:
    return message[0].upper() + message[1:].rstrip(".") + "."
