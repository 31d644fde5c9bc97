"""From what the caller asks a reply to look like to what follows it token by token."""

from sparkdesk.engine.block import ConstraintPart
from sparkdesk.engine.grammar_prefilter import GrammarPrefilter
from sparkdesk.engine.grammar_source import gbnf_of
from sparkdesk.engine.lazy_grammar import LazyGrammar
from sparkdesk.engine.llama import Grammar, Model
from sparkdesk.engine.settings import GrammarSettings
from sparkdesk.engine.vocabulary import Vocabulary


def constraint_of(model: Model, settings: GrammarSettings, vocabulary: Vocabulary) -> ConstraintPart:
    """Raises GrammarError with one sentence where the grammar or the schema cannot be used."""
    gbnf, has_token_rules = gbnf_of(settings)
    grammar: ConstraintPart = Grammar(model, gbnf)
    if not has_token_rules:
        grammar = GrammarPrefilter(grammar, vocabulary)
    return LazyGrammar(grammar, settings.triggers, vocabulary) if settings.triggers else grammar
