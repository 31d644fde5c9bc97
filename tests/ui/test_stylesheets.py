"""The style sheets name classes by their names, which no type checker follows when one is renamed."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from textual.dom import DOMNode

import sparkdesk.ui

FOLDER = Path(sparkdesk.ui.__file__).parent
SHEETS = sorted(FOLDER.rglob("*.tcss"))
_TYPE = re.compile(r"(?<![\w.#$:-])[A-Z]\w+")


def _classes(base: type[DOMNode] = DOMNode) -> set[str]:
    return {base.__name__}.union(*(_classes(each) for each in base.__subclasses__()))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_class_a_style_sheet_names_exists(sheet: Path) -> None:
    for module in pkgutil.walk_packages(sparkdesk.ui.__path__, "sparkdesk.ui."):
        importlib.import_module(module.name)
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = set(_TYPE.findall(text))
    assert named, "a style sheet without a class is not read rightly"
    assert named <= _classes() | {"TextArea", "Input", "Checkbox", "OptionList", "Markdown"}, sheet
