"""Every package is named by the import contracts, so that a new one cannot go unchecked."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]
PACKAGES = sorted(f"sparkdesk.{entry.parent.name}" for entry in (ROOT / "sparkdesk").glob("*/__init__.py"))
HOMES = {
    "textual stays in the screen": {"sparkdesk.ui"},
    "torch stays in the demo pair's training": {"sparkdesk.demo"},
    "What serves HTTP stays in the server": {"sparkdesk.server"},
}
"""The packages that may import the library a contract is about."""


def contract(name: str) -> dict[str, Any]:
    return next(each for each in CONTRACTS if each["name"] == name)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_layer(package: str) -> None:
    layers = " | ".join(contract("Imports point down only, and siblings do not import each other")["layers"])
    assert package in layers.split(" | ")


@pytest.mark.parametrize("name", HOMES)
def test_every_other_package_is_kept_from_the_library(name: str) -> None:
    named = set(contract(name)["source_modules"])
    assert {package for package in PACKAGES if package not in named} == HOMES[name]
