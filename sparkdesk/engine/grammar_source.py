"""The grammar that was asked for, checked before anything is done with it. Pure."""

from sparkdesk.engine.gbnf import check
from sparkdesk.engine.json_schema import compile_schema
from sparkdesk.engine.json_schema.refusal import REFUSED
from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.errors import GrammarError


def gbnf_of(settings: GrammarSettings) -> tuple[str, bool]:
    """In llama.cpp's language; and whether it has rules for single tokens, such as <|im_end|>.

    Raises GrammarError with one sentence where the grammar or the schema cannot be used.
    """
    if bool(settings.gbnf) == bool(settings.json_schema):
        raise GrammarError("A grammar is either GBNF or a JSON schema.", "Give exactly one of the two.")
    if not all(settings.triggers):
        raise GrammarError("A trigger of a grammar is empty.", "Name the text that it follows.")
    if settings.gbnf:
        return settings.gbnf, check(settings.gbnf)
    compiled = compile_schema(settings.json_schema).gbnf
    try:
        return compiled, check(compiled)
    except GrammarError as error:
        raise GrammarError(
            f"{REFUSED}it has too many parts that may be left out, or repeats too much.",
            "Ask for a simpler one.",
        ) from error


def unenforced(settings: GrammarSettings | None) -> tuple[str, ...]:
    """What a reply is not held to, in the schema's own words. Raises GrammarError."""
    return compile_schema(settings.json_schema).unenforced if settings is not None and settings.json_schema else ()


def reason_of(error: GrammarError) -> str:
    """Why a schema cannot be used, as part of a sentence."""
    return error.message.removeprefix(REFUSED).removesuffix(".")
