"""README and docs/ are true: their commands parse, all commands are there, and continuous integration runs them."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from sparkdesk.catalog import RELEASED, read_catalog
from sparkdesk.catalog.entry import read_entry
from sparkdesk.cli import app
from sparkdesk.config.settings import Settings, settings_from

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")
README = PAGES[0].read_text("utf-8")
ALL = "\n".join(page.read_text("utf-8") for page in PAGES)
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", ALL, re.DOTALL)
FENCED = [block for language, block in BLOCKS if language == "sh"]
LINES = [line for block in FENCED for line in block.splitlines()]
TOML = [tomllib.loads(block) for language, block in BLOCKS if language == "toml"]
SPARKDESK_LINES = [line for line in LINES if re.match(r"(\.venv/bin/)?sparkdesk ", line)]


@pytest.mark.parametrize("command", app.COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"`sparkdesk {command}\b", (ROOT / "docs" / "commands.md").read_text("utf-8"))


@pytest.mark.parametrize("line", SPARKDESK_LINES)
def test_its_commands_parse(line: str) -> None:
    words = shlex.split(line)[1:]
    chosen = next(word for word in words if word in app.COMMANDS)
    assert app.parser_for(chosen).parse_args(words).command == chosen


def test_continuous_integration_runs_the_test_command_as_it_stands() -> None:
    (command,) = {line for line in LINES if line.endswith("-m pytest")}
    assert command in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def test_there_is_one_command_to_a_chat() -> None:
    (command,) = {line for line in LINES if line.endswith(".venv/bin/sparkdesk demo")}
    assert command.startswith("python3 -m venv .venv && ")


def test_its_settings_are_all_there_are() -> None:
    (given,) = (example for example in TOML if "pair" not in example)
    settings_from(given, Path("README.md"))
    assert set(given) == set(Settings.__dataclass_fields__)


def test_its_pair_can_be_read() -> None:
    (given,) = (example for example in TOML if "pair" in example)
    assert [read_entry(pair).name for pair in given["pair"]] == ["mine"]


def test_its_table_of_pairs_is_the_catalogue() -> None:
    released = [pair.name for pair in read_catalog(ROOT / "none").pairs if pair.kind == RELEASED]
    assert re.findall(r"^\| `([\w.-]+)` \| [\d.]+ GB", README, re.MULTILINE) == released


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_it_names_are_there(page: Path) -> None:
    for path, anchor in re.findall(r"\]\(([\w./-]+)(#[\w-]+)?\)", page.read_text("utf-8")):
        named = page.parent / path
        assert named.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", named.read_text("utf-8"), re.MULTILINE)
            assert anchor[1:] in [heading.lower().replace(" ", "-") for heading in headings]
