"""From what the caller asks a reply to look like to what follows it token by token."""

from sparkdesk.engine.block import ConstraintPart
from sparkdesk.engine.gbnf import check as gbnf_check
from sparkdesk.engine.grammar_prefilter import GrammarPrefilter
from sparkdesk.engine.lazy_grammar import LazyGrammar
from sparkdesk.engine.llama import Grammar, Model, gbnf_of_schema
from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.engine.vocabulary import Vocabulary
from sparkdesk.errors import GrammarError


def constraint_of(model: Model, settings: GrammarSettings, vocabulary: Vocabulary) -> ConstraintPart:
    """Raises GrammarError with one sentence where the grammar or the schema cannot be used."""
    if bool(settings.gbnf) == bool(settings.json_schema):
        raise GrammarError("A grammar is either GBNF or a JSON schema.", "Give exactly one of the two.")
    gbnf = settings.gbnf or gbnf_of_schema(settings.json_schema)
    has_token_rules = gbnf_check(gbnf)
    if not all(settings.triggers):
        raise GrammarError("A trigger of a grammar is empty.", "Name the text that it follows.")
    grammar: ConstraintPart = Grammar(model, gbnf)
    if not has_token_rules:
        grammar = GrammarPrefilter(grammar, vocabulary)
    return LazyGrammar(grammar, settings.triggers, vocabulary) if settings.triggers else grammar
