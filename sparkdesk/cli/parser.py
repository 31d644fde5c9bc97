"""argparse with our manners: what is wrong is a UsageError, in one sentence."""

from argparse import ArgumentParser
from typing import NoReturn

from sparkdesk.errors import UsageError


class Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(_sentence(message.removeprefix("argument ")), f"See {self.prog} --help.")


def _sentence(message: str) -> str:
    return message[0].upper() + message[1:].rstrip(".") + "."
