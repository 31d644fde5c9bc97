"""Little stories from a grammar: freer prose, with no single right answer."""

from random import Random

from sparkdesk.demo.corpus.exercise import Exercise

_ASK = (
    "Tell me a story about a {h} and a {t}.",
    "Write a short story about a {h} and a {t}.",
    "Tell me a little story about a {h} with a {t}.",
)
_ASK_HERO = ("Tell me a story about a {h}.", "Write a story about a {h}.", "Can you tell me a story about a {h}?")
_ASK_ANY = (
    "Tell me a story.",
    "Tell me a little story.",
    "Tell me a short story.",
    "Write a short story.",
    "I would like to hear a story.",
    "Tell me something nice.",
)
_HEROES = (
    "fox cat dog dragon mouse rabbit bear bird frog wolf king queen robot wizard sailor farmer owl horse duck girl boy"
).split()
_THINGS = "lantern key boat kite book drum hat bell coin map ring apple violin mirror clock ladder candle stone".split()
_TRAITS = "little old brave curious quiet clever lonely cheerful sleepy hungry proud gentle".split()
_PLACES = (
    "in a small house by the river",
    "at the edge of the forest",
    "on a green hill",
    "near the sea",
    "in an old castle",
    "under a tall tree",
    "in a busy town",
    "on a little island",
)
_WEATHER = (
    "One cold morning",
    "One sunny day",
    "One rainy evening",
    "One quiet night",
    "One day in spring",
    "Late one winter",
)
_FINDS = (
    "found a {t} lying in the grass",
    "saw a strange {t} by the road",
    "was given a {t} by a stranger",
    "dug a {t} out of the sand",
    "bought a {t} at the market",
)
_TROUBLES = (
    "But the {t} was broken, and nobody knew how to mend it.",
    "But a storm came and carried the {t} away.",
    "But the {t} was too heavy to carry home.",
    "But that night the {t} was gone.",
    "But the {t} did not belong to the {h}.",
)
_HELPERS = ("an old owl", "a friendly crow", "a small mouse", "a tired traveller", "a kind neighbour", "two children")
_HELP = (
    '"Do not worry," said {e}. "We will do it together."',
    '"Look behind the mill," said {e}.',
    '"I know what to do," said {e}, and smiled.',
    '"Ask the moon," said {e}, "it sees everything."',
    '"Be patient," said {e}. "Good things take time."',
)
_WORK = (
    "They worked until the stars came out.",
    "They walked for three days and three nights.",
    "They looked everywhere, high and low.",
    "They sat down and thought for a long time.",
    "They asked everyone they met on the way.",
)
_ENDS = (
    "In the end the {t} was safe, and the {h} slept well.",
    "From that day on the {h} was never alone.",
    "And the {t} still hangs above the door today.",
    "The {h} laughed, and everyone laughed too.",
    "So the {h} learned that a friend is worth more than a {t}.",
)


def stories(rng: Random) -> Exercise:
    """A hero, a thing, a trouble and a friend."""
    hero, thing = rng.choice(_HEROES), rng.choice(_THINGS)
    asks = rng.choices((_ASK, _ASK_HERO, _ASK_ANY), (5, 3, 2))[0]
    prompt = rng.choice(asks).format(h=hero, t=thing)
    trait, helper = rng.choice(_TRAITS), rng.choice(_HELPERS)
    sentences = [
        f"Once upon a time {_article(trait)} {trait} {hero} lived {rng.choice(_PLACES)}.",
        f"{rng.choice(_WEATHER)} the {hero} {rng.choice(_FINDS)}.",
        rng.choice(_TROUBLES),
        f"The {hero} was sad and went to see {helper}.",
        rng.choice(_HELP),
        rng.choice(_WORK),
        rng.choice(_ENDS),
    ]
    if rng.random() < 0.4:
        sentences.pop(5)
    helper_again = "the " + helper.split(maxsplit=1)[1] if not helper.startswith("two") else "the children"
    answer = " ".join(sentences).format(h=hero, t=thing, e=helper_again)
    return Exercise("stories", prompt, answer, is_checkable=False)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
