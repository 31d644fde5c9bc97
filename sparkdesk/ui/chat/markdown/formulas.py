# ruff: noqa: RUF001  the symbols are meant
"""LaTeX in replies as plain Unicode: symbols, powers, fractions, without backslashes. What is not known stays words."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

TOKEN = "formula"
_FORMULA = re.compile(
    r"\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]|\$\$(?P<double>.+?)\$\$"
    r"|\$(?P<single>(?![\s\d$])(?:[^$\n\\]|\\.)*?(?<!\s)|\d(?:[^$\n\\]|\\.)*?[\\^_=+*/](?:[^$\n\\]|\\.)*?(?<!\s))\$(?!\d)",
    re.DOTALL,
)
"""A dollar sign before a number is money, unless something of a formula follows before the next dollar sign."""
_SYMBOLS = dict(
    pair.split(":")
    for pair in (
        "alpha:α beta:β gamma:γ delta:δ epsilon:ε varepsilon:ε zeta:ζ eta:η theta:θ iota:ι kappa:κ lambda:λ mu:μ nu:ν "
        "xi:ξ pi:π rho:ρ sigma:σ tau:τ upsilon:υ phi:φ varphi:φ chi:χ psi:ψ omega:ω Gamma:Γ Delta:Δ Theta:Θ Lambda:Λ "
        "Xi:Ξ Pi:Π Sigma:Σ Phi:Φ Psi:Ψ Omega:Ω times:× cdot:· div:÷ pm:± mp:∓ ast:∗ star:⋆ circ:∘ bullet:• leq:≤ le:≤ "
        "geq:≥ ge:≥ neq:≠ ne:≠ approx:≈ equiv:≡ sim:∼ simeq:≃ cong:≅ propto:∝ ll:≪ gg:≫ in:∈ notin:∉ ni:∋ subset:⊂ "
        "subseteq:⊆ supset:⊃ supseteq:⊇ cup:∪ cap:∩ setminus:∖ emptyset:∅ varnothing:∅ forall:∀ exists:∃ neg:¬ lnot:¬ "
        "land:∧ wedge:∧ lor:∨ vee:∨ oplus:⊕ otimes:⊗ perp:⊥ parallel:∥ angle:∠ to:→ rightarrow:→ Rightarrow:⇒ "
        "leftarrow:← Leftarrow:⇐ leftrightarrow:↔ Leftrightarrow:⇔ implies:⇒ iff:⇔ mapsto:↦ uparrow:↑ downarrow:↓ "
        "longrightarrow:→ infty:∞ partial:∂ nabla:∇ sum:∑ prod:∏ int:∫ iint:∬ oint:∮ sqrt:√ ldots:… dots:… cdots:⋯ "
        "vdots:⋮ hbar:ℏ ell:ℓ Re:ℜ Im:ℑ aleph:ℵ degree:° prime:′ mid:| vert:| Vert:‖ lvert:| rvert:| langle:⟨ rangle:⟩ "
        "lceil:⌈ rceil:⌉ lfloor:⌊ rfloor:⌋ therefore:∴ because:∵ checkmark:✓ square:□ Box:□ blacksquare:■ qed:∎"
    ).split()
)
_SPACES = {"quad", "qquad", ",", ";", ":", " ", "~"}
_NOTHING = {"left", "right", "big", "Big", "bigg", "Bigg", "displaystyle", "limits", "nolimits", "!", "hline"}
_WORDS = "text|textbf|textit|mathrm|mathbf|mathit|mathsf|mathtt|mathcal|operatorname|boxed|mbox|boldsymbol"
_BLACKBOARD = dict(zip("NZQRCPE", "ℕℤℚℝℂℙ𝔼", strict=True))
_RAISED = dict(zip("0123456789+-=()naijkmtxT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿᵃⁱʲᵏᵐᵗˣᵀ", strict=True))
_LOWERED = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_GROUP = r"\{([^{}]*)\}"
_MOST_NESTED = 12


def add_formulas(parser: MarkdownIt) -> MarkdownIt:
    """Before escapes, which would take the backslashes of the delimiters."""
    parser.inline.ruler.before("escape", TOKEN, _rule)
    return parser


def _rule(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "\\$":
        return False
    found = _FORMULA.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        token = state.push(TOKEN, "", 0)
        token.content = in_unicode(found[found.lastgroup or 0])
    state.pos = found.end()
    return True


def in_unicode(formula: str) -> str:
    """As well as a line of text can; nothing of it keeps a backslash."""
    text = re.sub(r"\\(begin|end)\{[^{}]*\}(\{[^{}]*\})?", " ", formula)
    text = re.sub(r"\\mathbb\s*\{?([A-Z])\}?", lambda found: _BLACKBOARD.get(found[1], found[1]), text)
    text = re.sub(r"\\\\(\[[^\]]*\])?", "; ", text).replace("&", " ")
    text = re.sub(r"\\([{}])", lambda found: "\x01" if found[1] == "{" else "\x02", text)
    for _ in range(_MOST_NESTED):
        before, text = text, _innermost(text)
        if text == before:
            break
    text = re.sub(r"\\([A-Za-z]+|.)", _symbol, text)
    text = re.sub(r"([\^_])(.)", _script, text)
    text = text.replace("{", "").replace("}", "").replace("\x01", "{").replace("\x02", "}").replace("\\", "")
    return re.sub(r"\s+", " ", text).strip(" ;")


def _innermost(text: str) -> str:
    """Groups that hold no other group, with the command before them."""
    text = re.sub(rf"\\(?:{_WORDS})\s*{_GROUP}", r"\1", text)
    text = re.sub(rf"\\[dtc]?frac\s*{_GROUP}\s*{_GROUP}", lambda found: f"{_part(found[1])}/{_part(found[2])}", text)
    text = re.sub(r"\\[dtc]?frac\s*(\d)\s*(\d)", r"\1/\2", text)
    text = re.sub(rf"\\sqrt\s*(?:\[([^\]]*)\])?\s*{_GROUP}", _root, text)
    text = re.sub(rf"\\(?:bar|overline|hat|widehat|tilde|vec|dot)\s*{_GROUP}", r"\1", text)
    return re.sub(rf"([\^_]){_GROUP}", _script, text)


def _root(found: re.Match[str]) -> str:
    sign = {"3": "∛", "4": "∜"}.get(found[1] or "", "√")
    return f"{sign}{_part(found[2])}"


def _part(text: str) -> str:
    """In parentheses where it is more than one thing."""
    text = text.strip()
    return text if re.fullmatch(r"\w+|\\[A-Za-z]+|\(.*\)|.", text) else f"({text})"


def _script(found: re.Match[str]) -> str:
    script = re.sub(r"\\([A-Za-z]+|.)", _symbol, found[2]).strip()
    if script in ("∘", "′"):
        return "°" if script == "∘" else script
    table = _RAISED if found[1] == "^" else _LOWERED
    if script and all(each in table for each in script):
        return "".join(table[each] for each in script)
    return f"{found[1]}{script if len(script) < 2 else f'({script})'}"


def _symbol(found: re.Match[str]) -> str:
    name = found[1]
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if name in _NOTHING:
        return ""
    return " " if name in _SPACES else name
