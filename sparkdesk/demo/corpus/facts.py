"""Questions about the facts Spark Tiny knows."""

from random import Random

from sparkdesk.demo.corpus.exercise import Exercise
from sparkdesk.demo.corpus.facts_data import LIST_QUESTIONS, LISTS, RELATIONS, Relation

_FACTS = tuple((relation, subject) for relation in RELATIONS for subject in relation.pairs)


def facts(rng: Random) -> Exercise:
    """One fact, asked for in one of several ways; every fact is as likely as any other."""
    if rng.random() < 0.06:
        return _list(rng)
    relation, subject = rng.choice(_FACTS)
    return fact(relation, subject, rng.choice(relation.questions))


def fact(relation: Relation, subject: str, question: str) -> Exercise:
    """This one fact, asked for this way."""
    answer = relation.answer.format(s=subject, o=relation.pairs[subject])
    answer = answer[0].upper() + answer[1:]
    return Exercise("facts", question.format(s=subject), answer)


def every_fact() -> list[list[Exercise]]:
    """All ways to ask, fact by fact."""
    asked = [[fact(relation, subject, question) for question in relation.questions] for relation, subject in _FACTS]
    listed = [[Exercise("facts", q.format(s=name), LISTS[name]) for q in LIST_QUESTIONS] for name in LISTS]
    return asked + listed


def _list(rng: Random) -> Exercise:
    name = rng.choice(list(LISTS))
    return Exercise("facts", rng.choice(LIST_QUESTIONS).format(s=name), LISTS[name])
