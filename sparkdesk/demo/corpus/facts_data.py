"""The few hundred facts Spark Tiny knows, by relation; every one of them is trained on."""

from dataclasses import dataclass
from random import Random

from sparkdesk.demo.corpus.exercise import Exercise


@dataclass(frozen=True, slots=True)
class Relation:
    """Pairs of one kind, with the ways to ask for the second when given the first."""

    name: str
    questions: tuple[str, ...]
    """Templates with {s} for the subject."""
    answer: str
    """Template with {s} and {o}."""
    pairs: dict[str, str]


def _pairs(text: str) -> dict[str, str]:
    """Read "France:Paris, Japan:Tokyo"."""
    return dict((item.strip().split(":")[0], item.strip().split(":")[1]) for item in text.split(","))


_WEEK = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()
_PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _successors(items: list[str]) -> dict[str, str]:
    return {item: items[(i + 1) % len(items)] for i, item in enumerate(items)}


RELATIONS = (
    Relation(
        "capital",
        (
            "What is the capital of {s}?",
            "What's the capital of {s}?",
            "Name the capital of {s}.",
            "Which city is the capital of {s}?",
            "Tell me the capital of {s}.",
            "capital of {s}?",
            "Do you know the capital of {s}?",
            "What is {s}'s capital?",
        ),
        "The capital of {s} is {o}.",
        _pairs(
            "France:Paris, Germany:Berlin, Italy:Rome, Spain:Madrid, Portugal:Lisbon, Austria:Vienna, Norway:Oslo, "
            "Sweden:Stockholm, Finland:Helsinki, Denmark:Copenhagen, Poland:Warsaw, Greece:Athens, Ireland:Dublin, "
            "Hungary:Budapest, Romania:Bucharest, Bulgaria:Sofia, Belgium:Brussels, Ukraine:Kyiv, Russia:Moscow, "
            "Turkey:Ankara, Egypt:Cairo, Kenya:Nairobi, Morocco:Rabat, Nigeria:Abuja, "
            "Ghana:Accra, Ethiopia:Addis Ababa, "
            "Japan:Tokyo, China:Beijing, India:New Delhi, Thailand:Bangkok, Vietnam:Hanoi, Indonesia:Jakarta, "
            "South Korea:Seoul, Nepal:Kathmandu, Iran:Tehran, Iraq:Baghdad, Canada:Ottawa, Mexico:Mexico City, "
            "Cuba:Havana, Brazil:Brasilia, Argentina:Buenos Aires, Chile:Santiago, Peru:Lima, Colombia:Bogota, "
            "Ecuador:Quito, Uruguay:Montevideo, Australia:Canberra, New Zealand:Wellington, Iceland:Reykjavik, "
            "Croatia:Zagreb, Serbia:Belgrade, Estonia:Tallinn, Latvia:Riga, Switzerland:Bern, "
            "the Netherlands:Amsterdam, "
            "the United Kingdom:London, the United States:Washington, the Czech Republic:Prague"
        ),
    ),
    Relation(
        "continent",
        (
            "Which continent is {s} in?",
            "On which continent is {s}?",
            "What continent is {s} in?",
            "On what continent does {s} lie?",
            "Name the continent of {s}.",
            "Tell me which continent {s} is in.",
        ),
        "{s} is in {o}.",
        _pairs(
            "France:Europe, Germany:Europe, Italy:Europe, Spain:Europe, Norway:Europe, Poland:Europe, Greece:Europe, "
            "Sweden:Europe, Austria:Europe, Portugal:Europe, Egypt:Africa, Kenya:Africa, "
            "Morocco:Africa, Nigeria:Africa, "
            "Ghana:Africa, Ethiopia:Africa, Japan:Asia, China:Asia, India:Asia, Thailand:Asia, "
            "Vietnam:Asia, Nepal:Asia, "
            "Canada:North America, Mexico:North America, Cuba:North America, Brazil:South "
            "America, Chile:South America, "
            "Argentina:South America, Peru:South America, Colombia:South America, Ecuador:South America"
        ),
    ),
    Relation(
        "language",
        (
            "What language do people speak in {s}?",
            "Which language is spoken in {s}?",
            "What do people speak in {s}?",
            "Name the language of {s}.",
            "What language is spoken in {s}?",
        ),
        "People in {s} speak {o}.",
        _pairs(
            "France:French, Germany:German, Italy:Italian, Spain:Spanish, Portugal:Portuguese, Austria:German, "
            "Norway:Norwegian, Sweden:Swedish, Finland:Finnish, Denmark:Danish, Poland:Polish, Greece:Greek, "
            "Hungary:Hungarian, Turkey:Turkish, Russia:Russian, Egypt:Arabic, Japan:Japanese, China:Chinese, "
            "Thailand:Thai, Brazil:Portuguese, Mexico:Spanish, Argentina:Spanish, Chile:Spanish, Australia:English"
        ),
    ),
    Relation(
        "colour",
        (
            "What colour is {s}?",
            "What color is {s}?",
            "Which colour does {s} have?",
            "Tell me the colour of {s}.",
            "What is the colour of {s}?",
            "What is the color of {s}?",
            "Name the colour of {s}.",
        ),
        "The colour of {s} is {o}.",
        _pairs(
            "the sky:blue, grass:green, snow:white, coal:black, blood:red, a banana:yellow, a lemon:yellow, "
            "a tomato:red, a strawberry:red, a carrot:orange, milk:white, chocolate:brown, the sun:yellow, "
            "a frog:green, a flamingo:pink, a crow:black, a polar bear:white, an elephant:grey, gold:yellow, "
            "a cherry:red, a pumpkin:orange, a cucumber:green, salt:white, a fire engine:red, "
            "the sea:blue, a leaf:green"
        ),
    ),
    Relation(
        "sound",
        (
            "What sound does a {s} make?",
            "What does a {s} say?",
            "Which sound does a {s} make?",
            "Tell me the sound of a {s}.",
            "How does a {s} sound?",
            "What noise does a {s} make?",
        ),
        "A {s} says {o}.",
        _pairs(
            "dog:woof, cat:meow, cow:moo, sheep:baa, pig:oink, duck:quack, horse:neigh, lion:roar, frog:croak, "
            "mouse:squeak, bee:buzz, snake:hiss, rooster:cock-a-doodle-doo, donkey:hee-haw, "
            "wolf:howl, crow:caw, bird:tweet"
        ),
    ),
    Relation(
        "young",
        (
            "What is a young {s} called?",
            "What is a baby {s} called?",
            "What do you call a young {s}?",
            "What do you call a baby {s}?",
            "Name the young of a {s}.",
            "How is a young {s} called?",
        ),
        "A young {s} is called a {o}.",
        _pairs(
            "dog:puppy, cat:kitten, cow:calf, sheep:lamb, pig:piglet, duck:duckling, horse:foal, "
            "lion:cub, frog:tadpole, "
            "hen:chick, goat:kid, bear:cub, goose:gosling, deer:fawn, swan:cygnet, kangaroo:joey, wolf:pup, rabbit:kit"
        ),
    ),
    Relation(
        "legs",
        (
            "How many legs does a {s} have?",
            "How many legs has a {s}?",
            "Tell me how many legs a {s} has.",
            "Count the legs of a {s}.",
            "What number of legs does a {s} have?",
        ),
        "A {s} has {o} legs.",
        _pairs(
            "dog:4, cat:4, cow:4, horse:4, bird:2, duck:2, human:2, spider:8, bee:6, beetle:6, crab:10, "
            "snake:0, fish:0, butterfly:6, frog:4, hen:2, fly:6, worm:0"
        ),
    ),
    Relation(
        "opposite",
        (
            "What is the opposite of {s}?",
            "What's the opposite of {s}?",
            "Give me the opposite of {s}.",
            "Name the opposite of {s}.",
            "opposite of {s}?",
            "Tell me the opposite of {s}.",
            "Which word is the opposite of {s}?",
        ),
        "The opposite of {s} is {o}.",
        _pairs(
            "hot:cold, big:small, fast:slow, up:down, left:right, day:night, good:bad, "
            "happy:sad, old:young, long:short, "
            "high:low, light:dark, open:closed, full:empty, rich:poor, hard:soft, wet:dry, loud:quiet, early:late, "
            "strong:weak, thick:thin, clean:dirty, near:far, first:last, inside:outside, "
            "win:lose, buy:sell, start:stop, "
            "love:hate, push:pull, true:false, yes:no, black:white, wide:narrow, deep:shallow, heavy:light, cold:hot, "
            "small:big, slow:fast, down:up, right:left, night:day, bad:good, sad:happy, "
            "dark:light, north:south, east:west"
        ),
    ),
    Relation(
        "symbol",
        (
            "What is the chemical symbol of {s}?",
            "What is the chemical symbol for {s}?",
            "Which symbol does {s} have?",
            "Give me the chemical symbol of {s}.",
            "Name the symbol of the element {s}.",
            "symbol of {s}?",
            "What's the symbol for {s}?",
        ),
        "The chemical symbol of {s} is {o}.",
        _pairs(
            "hydrogen:H, helium:He, lithium:Li, carbon:C, nitrogen:N, oxygen:O, fluorine:F, neon:Ne, sodium:Na, "
            "magnesium:Mg, aluminium:Al, silicon:Si, phosphorus:P, sulfur:S, chlorine:Cl, argon:Ar, potassium:K, "
            "calcium:Ca, iron:Fe, copper:Cu, zinc:Zn, silver:Ag, tin:Sn, gold:Au, mercury:Hg, lead:Pb, uranium:U, "
            "nickel:Ni, iodine:I, titanium:Ti"
        ),
    ),
    Relation(
        "plural",
        (
            "What is the plural of {s}?",
            "What's the plural of {s}?",
            "Give me the plural of {s}.",
            "Name the plural of {s}.",
            "plural of {s}?",
            "Write the plural of {s}.",
        ),
        "The plural of {s} is {o}.",
        _pairs(
            "mouse:mice, child:children, foot:feet, tooth:teeth, goose:geese, man:men, woman:women, person:people, "
            "ox:oxen, sheep:sheep, fish:fish, leaf:leaves, knife:knives, wolf:wolves, "
            "city:cities, baby:babies, box:boxes, "
            "bus:buses, cat:cats, dog:dogs, house:houses, tree:trees, book:books, "
            "potato:potatoes, life:lives, deer:deer"
        ),
    ),
    Relation(
        "past",
        (
            "What is the past tense of {s}?",
            "What's the past tense of {s}?",
            "Give me the past tense of {s}.",
            "Name the past tense of {s}.",
            "past tense of {s}?",
            "Write the past tense of {s}.",
        ),
        "The past tense of {s} is {o}.",
        _pairs(
            "go:went, see:saw, eat:ate, run:ran, write:wrote, take:took, give:gave, come:came, sing:sang, swim:swam, "
            "buy:bought, think:thought, make:made, find:found, fly:flew, know:knew, begin:began, drink:drank, "
            "speak:spoke, break:broke, sleep:slept, teach:taught, walk:walked, play:played, jump:jumped"
        ),
    ),
    Relation(
        "next_day",
        (
            "Which day comes after {s}?",
            "What day comes after {s}?",
            "What is the day after {s}?",
            "Name the day after {s}.",
            "Tell me which day follows {s}.",
        ),
        "The day after {s} is {o}.",
        _successors(_WEEK),
    ),
    Relation(
        "next_month",
        (
            "Which month comes after {s}?",
            "What month comes after {s}?",
            "What is the month after {s}?",
            "Name the month after {s}.",
            "Tell me which month follows {s}.",
        ),
        "The month after {s} is {o}.",
        _successors(_MONTHS),
    ),
    Relation(
        "month_length",
        (
            "How many days does {s} have?",
            "How many days are in {s}?",
            "How long is {s}?",
            "Tell me how many days {s} has.",
            "What number of days does {s} have?",
        ),
        "{s} has {o} days.",
        dict(zip(_MONTHS, "31 28 31 30 31 30 31 31 30 31 30 31".split(), strict=True)),
    ),
    Relation(
        "planet",
        (
            "Which planet is number {s} from the sun?",
            "What is planet number {s} from the sun?",
            "Name planet number {s} from the sun.",
            "Tell me planet number {s} from the sun.",
        ),
        "Planet number {s} from the sun is {o}.",
        {str(i): planet for i, planet in enumerate(_PLANETS, start=1)},
    ),
    Relation(
        "next_letter",
        (
            "Which letter comes after {s}?",
            "What letter comes after {s}?",
            "What is the letter after {s}?",
            "Name the letter after {s}.",
            "Tell me which letter follows {s}.",
        ),
        "The letter after {s} is {o}.",
        {letter: _ALPHABET[i + 1] for i, letter in enumerate(_ALPHABET[:-1])},
    ),
)

LISTS = {
    "the days of the week": ", ".join(_WEEK),
    "the months of the year": ", ".join(_MONTHS),
    "the planets": ", ".join(_PLANETS),
    "the letters of the alphabet": ", ".join(_ALPHABET),
    "the four seasons": "spring, summer, autumn, winter",
    "the colours of the rainbow": "red, orange, yellow, green, blue, indigo, violet",
    "the seven continents": "Africa, Antarctica, Asia, Australia, Europe, North America, South America",
    "the five senses": "sight, hearing, smell, taste, touch",
    "the vowels": "A, E, I, O, U",
    "the four cardinal directions": "north, east, south, west",
}

LIST_QUESTIONS = (
    "List {s}.",
    "Name {s}.",
    "What are {s}?",
    "Tell me {s}.",
    "Give me {s}.",
    "Write down {s}.",
    "Can you list {s}?",
    "Which are {s}?",
)


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
