"""Grammars that would take all memory, the stack or for ever are refused before llama.cpp sees them; others are not."""

import pytest

from sparkdesk.engine.gbnf import check
from sparkdesk.errors import EngineError


def chain(count: int, rule: str) -> str:
    rules = "".join(f"r{i} ::= {rule.format(next=f'r{i + 1}')}\n" for i in range(count))
    return f'root ::= r0\n{rules}r{count} ::= "a"'


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        (chain(60, "{next} | {next}"), "too many ways"),
        (chain(60, '{next} "x" | {next} "y"'), "too many ways"),
        (chain(10_000, "{next}"), "nested too deeply"),
        ("root ::= " + "(" * 50_000 + '"a"' + ")" * 50_000, "nested too deeply"),
        ('root ::= "' + "a" * 100_000 + '"{2000}', "repeats too much"),
        ("root ::= " + '"a"{0,2000} ' * 3000, "repeats too much"),
        ('root ::= "a"{99999999999999999999}', "repeats too much"),
        ('root ::= root "a" | "b"', "the rule root begins with itself"),
        ('root ::= b root "x" | "y"\nb ::= c\nc ::= "" | "z"', "left recursion"),
        ('root ::= ("x"? root "y")* ', "left recursion"),
        ("root ::= " + "a" * 300_000, "300,009 characters"),
    ],
    ids=lambda value: value if len(value) < 40 else "",
)
def test_what_llama_cpp_could_not_bear_is_refused(grammar: str, reason: str) -> None:
    """Each of these took minutes, gigabytes or the process: walking every beginning, copying, recursion."""
    with pytest.raises(EngineError, match=reason):
        check(grammar)


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= ("a"? "b"?)*',
        'root ::= (((("a")*)*)*)+',
        'root ::= [a-z]+ ("," [a-z]+)* # a list\n',
        'root ::= ws "a" ws\nws ::= ([ \\t\\n] ws)?',
        "root ::= <|im_end|> !<[5]> .",
        'root ::= "\\"" [^"\\\\\\]]* "\\""',
        'root ::= "(((((" ")" | "#" [#(]',
        'root ::= "a"{2,5} "b"{3,} "c"{4} "d"{0,0}',
        'expr ::= term ("+" term)*\nterm ::= "(" expr ")" | [0-9]+\nroot ::=\n  expr |\n  term',
        "root ::= (",
        "",
    ],
)
def test_what_it_can_bear_is_let_through_also_where_it_is_wrong(grammar: str) -> None:
    """Mistakes are told by llama.cpp, in its own words."""
    assert check(grammar) == ("<|" in grammar)
