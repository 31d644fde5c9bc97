# ruff: noqa: RUF001  the symbols are meant
"""Markdown as lines: what it looks like, and that growing by pieces ends where drawing at once does."""

import random

import pytest

from sparkdesk.ui.chat.markdown.blocks import markdown_lines, parse
from sparkdesk.ui.chat.markdown.growing import GrowingMarkdown
from tests.ui.fake_backend import STORY

LONG_CODE = "Code:\n\n```python\n" + "".join(f"value_{number} = {number}\n" for number in range(400)) + "```\n\nDone.\n"
LONG_PARAGRAPH = "\n".join(f"{number} words in a line" for number in range(400))
LONG_LIST = "".join(f"{number}. item *{number}*\n" for number in range(1, 400))
LONG_TABLE = "| number | square |\n|---|---|\n" + "".join(f"| {number} | {number**2} |\n" for number in range(1, 400))
NESTED = "- one\n  - two\n\n    loose\n- three\n\n| a | b |\n|---|--:|\n| x | 10 |\n\n***\n\n> quote\n> - inside\n"


def drawn(source: str, width: int = 60) -> list[str]:
    return [line.plain.rstrip() for line in markdown_lines(parse(source), width)]


@pytest.mark.parametrize("source", [STORY * 5, NESTED, LONG_CODE, LONG_PARAGRAPH, LONG_LIST, LONG_TABLE])
def test_text_that_grew_ends_as_text_drawn_at_once(source: str) -> None:
    chance, growing, at = random.Random(3), GrowingMarkdown(), 0
    growing.lines(60)
    while at < len(source):
        step = chance.randint(1, 120)
        growing.grow(source[at : at + step])
        at += step
    assert growing.source == source
    growing.finish(source)
    assert [line.plain.rstrip() for line in growing.lines(60)] == drawn(source)


@pytest.mark.parametrize("source", [LONG_CODE, LONG_PARAGRAPH, LONG_LIST, LONG_TABLE])
def test_a_long_block_keeps_its_lines_while_it_grows(source: str) -> None:
    growing, cut_at = GrowingMarkdown(), len(source) - 60
    growing.lines(60)
    for at in range(0, cut_at, 20):
        growing.grow(source[at : min(at + 20, cut_at)])
    words = " ".join(line.plain for line in growing.lines(60)).split()
    assert words == " ".join(drawn(source[:cut_at])).split()


def test_another_width_draws_a_growing_text_anew() -> None:
    growing = GrowingMarkdown()
    growing.lines(60)
    growing.grow(STORY)
    assert [line.plain.rstrip() for line in growing.lines(30)] == drawn(STORY, 30)
    growing.grow("\nMore.")
    assert growing.lines(30)[-1].plain == "More."


def test_a_finished_text_can_go_on() -> None:
    growing = GrowingMarkdown("One **two")
    assert growing.lines(40)[0].plain == "One **two"
    growing.grow("** three")
    assert growing.lines(40)[0].plain == "One two three"


def test_an_address_defined_at_the_end_is_known_above() -> None:
    growing = GrowingMarkdown()
    growing.lines(60)
    for part in ("See [the page][1].\n\n", "Words.\n\n", "[1]: https://example.org\n"):
        growing.grow(part)
    growing.finish(growing.source)
    assert growing.lines(60)[0].plain == "See the page (https://example.org)."


def test_lists_nest_and_are_numbered_from_where_they_begin() -> None:
    assert drawn("9. a\n10. b\n    - c") == [" 9. a", "10. b", "    ◦ c"]


def test_a_table_fits_and_keeps_its_sides() -> None:
    table = "| name | size |\n|:--|--:|\n| a very long name indeed | 7 |\n"
    assert drawn(table, 40) == [
        "name                    │ size",
        "────────────────────────┼─────",
        "a very long name indeed │    7",
    ]
    assert all(len(line) <= 20 for line in drawn(table, 20))


def test_code_folds_and_html_stays_text() -> None:
    assert drawn("```\n" + "x" * 30 + "\n```", 20) == [" " + "x" * 18, " " + "x" * 12]
    assert drawn("Use <b>bold</b>.\n\n<details>\nhey\n</details>") == [
        "Use <b>bold</b>.",
        "",
        "<details> hey </details>",
    ]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"So \( a^2 + b^2 = c^2 \).", "So a² + b² = c²."),
        (r"$\alpha \leq \beta$ and $x_{ij}$", "α ≤ β and xᵢⱼ"),
        (r"\[ \frac{n(n+1)}{2} \times \sqrt{x} \]", "(n(n+1))/2 × √x"),
        (r"$$\sum_{i=0}^{n} x_i \to \infty$$", "∑ᵢ₌₀ⁿ xᵢ → ∞"),
        (r"$\mathbb{R}$, $\text{if } x \in A$, $90^\circ$", "ℝ, if x ∈ A, 90°"),
        (r"$\unknown{x}$ stays words", "unknownx stays words"),
        (r"\( \{1, 2\} \)", "{1, 2}"),
        (r"$\frac{1}{\sqrt{2\pi}}$", "1/(√(2π))"),
        ("It costs $5 and $10.", "It costs $5 and $10."),
        ("$HOME and $PATH stay", "$HOME and $PATH stay"),
        (r"`$\alpha$` is code", r"$\alpha$ is code"),
    ],
)
def test_formulas_are_unicode_without_backslashes_and_money_stays_money(source: str, shown: str) -> None:
    assert drawn(source) == [shown]


def test_a_formula_of_several_lines() -> None:
    assert drawn("\\[\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n\\]") == ["a = b ; c = d"]


def test_tasks_have_boxes() -> None:
    assert drawn("- [ ] to do\n- [x] **done**\n- [no] link\n\n1. [X] first") == [
        "☐ to do",
        "☑ done",
        "• [no] link",
        "",
        "☑ first",
    ]


def test_code_says_its_language_once_and_a_diff_has_its_colours() -> None:
    lines = markdown_lines(parse("```diff\n-old\n+new\n same\n```"), 40)
    assert [line.plain.strip() for line in lines] == ["diff", "-old", "+new", "same"]
    styles = [" ".join(str(span.style) for span in line.spans) for line in lines]
    assert "$error" in styles[1] and "$success" in styles[2] and "$error" not in styles[3]
    growing = GrowingMarkdown()
    growing.lines(60)
    for start in range(0, len(LONG_CODE), 90):
        growing.grow(LONG_CODE[start : start + 90])
    assert [line.plain.strip() for line in growing.lines(60)].count("python") == 1
