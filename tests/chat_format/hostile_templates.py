"""Templates that take time or memory: one of each kind by hand, and any number of others from a seed."""

import random
from collections.abc import Callable

BOMBS = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}",
    "a big power": "{{ 9 ** (9 ** (9 ** 9)) }}",
    "a big power at run time": "{% set n = messages | length + 8 %}{{ (n ** (n ** n)) > 1 }}",
    "a doubling string": (
        "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}"
    ),
    "a doubling list": (
        "{% set ns = namespace(s=[1]) %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}"
    ),
    "a format bomb": "{{ '%099999999999d' | format(1) }}",
    "a str.format bomb": "{{ '{:>99999999999}'.format('x') }}",
    "a join bomb": "{{ range(99999) | join('x' * 99999) }}",
    "a repeated string": "{{ 'x' * 9999999999 }}",
    "a repeated string at run time": "{{ messages[0].content * 9999999999 }}",
    "a repeated list": "{{ ([0] * 9999999999) | length }}",
    "centred": "{{ 'x' | center(9999999999) }}",
    "indented": "{{ ('x\\n' * 99999) | indent(99999) }}",
    "replaced": "{{ ('x' * 99999) | replace('x', 'y' * 99999) }}",
    "indented JSON": "{{ [[[1]]] | tojson(indent=999999999) }}",
    "a range": "{{ range(10 ** 20) | list | length }}",
    "many ranges": "{% for i in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
    "endless output": "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxx{% endfor %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "two recursions": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "a deep expression": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep lists": "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "a long source": "{% if messages %}x{% endif %}" * 60000,
    "word wrap": "{{ ('a ' * 999999) | wordwrap(1) | length }}",
    "batches": "{{ range(99999) | batch(1, 'x' * 999999) | list | string | length }}",
    "digits": "{{ (10 ** 4000000) | string | length }}",
    "a group": "{{ range(99999) | groupby('real') | string | length * 9999999 }}",
    "a dictionary": (
        "{% set ns = namespace(d={}) %}{% for i in range(99999) %}"
        "{% set ns.d = dict(ns.d, **{i | string: ns.d}) %}{% endfor %}{{ ns.d }}"
    ),
    "lipsum": "{{ lipsum(99999, true, 99999, 999999) }}",
    "a cycle": "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns.a.a.a }}{{ [ns] | tojson }}",
}


def made_up(seed: int) -> str:
    """Blocks, expressions and filters that grow things, nested at random."""
    given = "{% set ns = namespace(s='x') %}{% set v = 9 %}"
    return given + _Maker(random.Random(seed)).statements(3)


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def statements(self, depth: int) -> str:
        return "".join(self._statement(depth) for _ in range(self._chance.randint(1, 3)))

    def _statement(self, depth: int) -> str:
        if depth == 0:
            return f"{{{{ {self._expression(2)} }}}}"
        body = self.statements(depth - 1)
        kinds: tuple[Callable[[], str], ...] = (
            lambda: f"{{% for v in {self._list(1)} %}}{body}{{% endfor %}}",
            lambda: f"{{% for m in messages %}}{body}{{% endfor %}}",
            lambda: f"{{% set ns = namespace(s={self._expression(1)}) %}}{body}",
            lambda: f"{{% set v %}}{body}{{% endset %}}{{{{ v * {self._number()} }}}}",
            lambda: f"{{% macro f(n) %}}{{% if n %}}{{{{ f(n-1) }}}}{body}{{% endif %}}{{% endmacro %}}{{{{ f(9) }}}}",
            lambda: f"{{% if {self._expression(1)} %}}{body}{{% endif %}}",
            lambda: f"{{{{ {self._expression(2)} }}}}",
        )
        return self._chance.choice(kinds)()

    def _expression(self, depth: int) -> str:
        if depth == 0:
            return self._chance.choice(
                ("1", "'x'", "messages", "v", "bos_token", "ns.s", str(self._number()), "9 ** 9")
            )
        inner, other, number = self._expression(depth - 1), self._expression(depth - 1), self._number()
        return self._chance.choice(
            (
                f"({inner}) * ({number})",
                f"({inner}) ** ({other})",
                f"({inner}) ~ ({other})",
                f"({inner}) + ({other})",
                f"({inner}) % ({other})",
                f"(({inner}) | string) * {number}",
                f"({inner}) | string | center({number})",
                f"({inner}) | string | indent({number})",
                f"({inner}) | string | replace('', {self._expression(depth - 1)} | string)",
                f"({inner}) | tojson(indent={number})",
                f"{self._list(depth - 1)} | join({other})",
                f"'%{number}s' | format({inner})",
                f"'{{:{number}}}'.format({inner})",
                f"{self._list(depth - 1)} | sum(start={inner})",
                f"raise_exception({inner})",
                f"strftime_now({inner} | string)",
                f"({inner}).__class__.__mro__",
                f"({inner}) | attr('__init__')",
            )
        )

    def _list(self, depth: int) -> str:
        return self._chance.choice(
            (f"range({self._number()})", f"[{self._expression(depth)}] * {self._number()}", "messages", "'abc' * 99999")
        )

    def _number(self) -> int:
        return self._chance.choice((0, 1, -1, 3, 99, 99999, 100001, 10**7, 10**9, 10**12))
