"""The words that fill lists, records and stories."""

from random import Random

NAMES = (
    "Anna Ben Clara David Emma Felix Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Victor "
    "Alice Bruno Carla Daniel Ella Frank Gina Hugo Ines Jonas Karen Lucas Maria Nina Oscar Petra Robert Sara Tom Vera"
).split()

CITIES = (
    "Berlin Paris Rome Madrid London Vienna Oslo Lisbon Prague Dublin Athens Warsaw Tokyo Cairo Lima Delhi "
    "Boston Chicago Toronto Sydney Geneva Munich Milan Porto"
).split()

JOBS = (
    "baker nurse teacher pilot farmer painter lawyer driver doctor singer writer cook gardener plumber chemist editor"
).split()

COLOURS = "red blue green yellow black white orange purple brown pink grey silver".split()

NOUNS = (
    "apple arrow anchor bread bridge button candle carpet castle dragon drum desk eagle engine egg falcon flower fork "
    "garden guitar glass hammer honey horse island iron ink jacket jelly jungle kettle kite king ladder lemon lamp "
    "magnet mirror moon needle night nest ocean onion oven paper pencil piano queen quilt quiz rabbit river rocket "
    "salt silver spoon table tiger train umbrella uncle unit valley violin voice water window wolf xylophone "
    "yard yarn yellow zebra zoo zipper cat dog bird fish tree stone cloud boat shoe clock"
).split()

_SYLLABLES = (
    "ba be bo da di do fa fi ga go ka ki ko la le lo ma mi mo na ne no pa pi po ra ri ro sa se so ta ti to va vi zu"
).split()


def invented_word(rng: Random) -> str:
    """A word that exists nowhere, so that copying is learnt and not a vocabulary."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 3)))


def distinct_words(rng: Random, count: int) -> list[str]:
    """Known words, now and then an invented one among them."""
    words = rng.sample(NOUNS, count)
    if rng.random() < 0.2:
        words[rng.randrange(count)] = invented_word(rng)
    return words


def words_with_distinct_initials(rng: Random, count: int) -> list[str]:
    """Known words of which no two start with the same letter: their order shows in one letter."""
    initials = rng.sample(sorted({word[0] for word in NOUNS}), count)
    return [rng.choice([word for word in NOUNS if word[0] == initial]) for initial in initials]
