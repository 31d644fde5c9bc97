"""Every refusal names the place and says what would do, whatever the shape of the types."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from sparkdesk.server.errors import ApiError
from sparkdesk.server.requests.chat import read_chat_request
from sparkdesk.server.requests.completion import read_completion_request
from sparkdesk.server.requests.decoding import MUST, UNKNOWN_TYPE, decode, others
from sparkdesk.server.requests.models import RequestDefaults

_FEW = Meta(ge=1, le=9)


class Leaf(Struct, tag_field="kind", tag="leaf"):
    colour: Literal["red", "green", "blue"]
    veins: Annotated[int, _FEW] | Annotated[float, _FEW, Meta(multiple_of=1)] | None = None


class Twig(Struct, tag_field="kind", tag="twig"):
    parts: "list[Leaf | Twig]"
    label: Annotated[str, Meta(min_length=1, max_length=4)] | None = None


class Strict(Struct, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1)] | None = None
    depth: Annotated[int, Meta(le=3)] | None = None
    height: float | None = None
    labels: dict[str, str | None] | None = None


class Tree(Struct, kw_only=True):
    strict: Strict | None = None
    root: Twig
    parts: Annotated[
        list[Annotated[Leaf | Twig, Meta(extra={UNKNOWN_TYPE: "trees have none"})]], Meta(max_length=2)
    ] = []
    width: Annotated[float, Meta(ge=-2, le=2.5)] | None = None
    is_old: bool | None = None
    notes: str | dict[str, Any] | None = None
    names: Annotated[str | list[str], Meta(extra={MUST: "be a name, or several"})] | None = None


ROOT: dict[str, Any] = {"parts": []}
LEAF = {"kind": "leaf", "colour": "red"}


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ([], None, "The body must be a JSON object, not an array."),
        (None, None, "The body must be a JSON object, not null."),
        ({}, "root", "root is missing."),
        ({"root": None}, "root", "root is missing."),
        ({"root": {}}, "root.parts", "root.parts is missing."),
        ({"root": 1}, "root", "root must be a JSON object, not a number."),
        (
            {"root": {"parts": [LEAF, {"kind": "bark"}]}},
            "root.parts[1].kind",
            "root.parts[1].kind must be leaf or twig.",
        ),
        ({"root": {"parts": [LEAF, None]}}, "root.parts[1]", "root.parts[1] must be a JSON object, not null."),
        ({"root": {"parts": [{"colour": "red"}]}}, "root.parts[0].kind", "root.parts[0].kind is missing."),
        (
            {"root": {"parts": [{"kind": "twig", "parts": [{"kind": "leaf", "colour": "grey"}]}]}},
            "root.parts[0].parts[0].colour",
            "root.parts[0].parts[0].colour must be blue, green or red.",
        ),
        (
            {"root": {"parts": [{**LEAF, "veins": 10}]}},
            "root.parts[0].veins",
            "root.parts[0].veins must be from 1 to 9.",
        ),
        (
            {"root": {"parts": [{**LEAF, "veins": 10**400}]}},
            "root.parts[0].veins",
            "root.parts[0].veins must be from 1 to 9.",
        ),
        (
            {"root": {"parts": [{**LEAF, "veins": 1.5}]}},
            "root.parts[0].veins",
            "root.parts[0].veins must be a whole number, not 1.5.",
        ),
        (
            {"root": {"parts": [{**LEAF, "veins": True}]}},
            "root.parts[0].veins",
            "root.parts[0].veins must be a whole number, not a boolean.",
        ),
        ({"root": {**ROOT, "label": ""}}, "root.label", "root.label must not be empty."),
        ({"root": {**ROOT, "label": "x" * 5}}, "root.label", "root.label must have no more than 4 characters."),
        ({"root": ROOT, "width": 3}, "width", "width must be from -2 to 2.5."),
        ({"root": ROOT, "width": float("inf")}, "width", "width must be from -2 to 2.5."),
        ({"root": ROOT, "width": 10**400}, "width", "width must be from -2 to 2.5."),
        ({"root": ROOT, "width": "3"}, "width", "width must be a number, not a string."),
        ({"root": ROOT, "is_old": 1}, "is_old", "is_old must be true or false, not a number."),
        ({"root": ROOT, "notes": []}, "notes", "notes must be a string or a JSON object, not an array."),
        ({"root": ROOT, "names": ["a", 1]}, "names", "names must be a name, or several."),
        ({"root": ROOT, "parts": [LEAF] * 3}, "parts", "parts must have no more than 2 items."),
        ({"root": ROOT, "strict": {"x": 1}}, "strict.x", "strict.x is not known here; leave it out."),
        ({"root": ROOT, "strict": {"count": 0}}, "strict.count", "strict.count must be at least 1."),
        ({"root": ROOT, "strict": {"depth": 4}}, "strict.depth", "strict.depth must be at most 3."),
        ({"root": ROOT, "strict": {"height": 10**400}}, "strict.height", "strict.height must be a smaller number."),
        (
            {"root": ROOT, "strict": {"labels": {"a": 1}}},
            "strict.labels",
            "strict.labels must have values of this kind only: a string.",
        ),
        (
            {"root": ROOT, "parts": [{"kind": "bird - at `$.width`"}]},
            "parts[0].kind",
            "parts[0].kind is 'bird - at `$.width`', but trees have none.",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(body: object, param: str | None, said: str) -> None:
    with pytest.raises(ApiError) as raised:
        decode(body, Tree)
    assert (raised.value.status, raised.value.param, raised.value.message) == (400, param, said)


def test_a_part_of_a_body_is_named_from_the_top() -> None:
    for body, path in (
        ([], "body.tree"),
        ({}, "body.tree.root"),
        ({"root": {"parts": [{}]}}, "body.tree.root.parts[0].kind"),
    ):
        with pytest.raises(ApiError) as raised:
            decode(body, Tree, "body.tree")
        assert raised.value.param == path and raised.value.message.startswith(f"{path} ")


def test_whole_numbers_may_be_sent_as_floats() -> None:
    assert decode({**LEAF, "veins": 4.0}, Leaf).veins == 4
    options = read_chat_request(
        {"messages": [{"role": "user", "content": ""}], "max_tokens": 5.0, "top_k": 3.0, "seed": 1.0, "n": 1.0},
        RequestDefaults(names=("m",)),
    ).options
    assert (options.max_tokens, options.sampling.top_k, options.sampling.seed) == (5, 3, 1)
    assert all(type(each) is int for each in (options.max_tokens, options.sampling.top_k, options.sampling.seed))


def test_what_nobody_reads_is_listed_but_not_what_is_null() -> None:
    assert others({"root": ROOT, "wings": 2, "width": 1, "tail": None}, Tree) == ("wings",)
    assert others({"wings": 2}, Tree, "parts[0]") == ("parts[0].wings",)


@pytest.mark.parametrize(("seed", "is_fine"), [(2**64 - 1, True), (-(2**63), True), (2**64, False), (1e300, False)])
def test_seeds_have_64_bits(seed: float, is_fine: bool) -> None:
    """msgspec's own bounds have 63."""
    try:
        read = read_completion_request({"prompt": "Hi", "seed": seed}, RequestDefaults(names=("m",)))
    except ApiError as error:
        assert not is_fine and error.param == "seed"
    else:
        assert is_fine and read.options.sampling.seed == int(seed) % 2**64


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (None, "prompt is missing."),
        ("", "prompt must be a string that is not empty, or an array of token numbers."),
        ([], "prompt must be a string that is not empty, or an array of token numbers."),
        ([""], "prompt must be a string that is not empty, or an array of token numbers."),
        ([1, "a"], "prompt must be a string that is not empty, or an array of token numbers."),
        ([True], "prompt must be a string that is not empty, or an array of token numbers."),
        (["a", "b"], "prompt must be one prompt: send each in a request of its own."),
        ([[1], [2]], "prompt must be one prompt: send each in a request of its own."),
        ([1, 100], "prompt must have tokens from 0 to 99 only."),
        ([10**30], "prompt must have tokens from 0 to 99 only."),
    ],
)
def test_prompts_that_cannot_be_continued(prompt: object, said: str) -> None:
    with pytest.raises(ApiError) as raised:
        read_completion_request({"prompt": prompt}, RequestDefaults(names=("m",), vocabulary_size=100))
    assert (raised.value.param, raised.value.message) == ("prompt", said)


@pytest.mark.parametrize("prompt", [["a"], "a"])
def test_one_prompt_may_be_in_a_list(prompt: object) -> None:
    defaults = RequestDefaults(names=("m",), vocabulary_size=100)
    assert read_completion_request({"prompt": prompt}, defaults).prompt == "a"
    assert read_completion_request({"prompt": [[1, 2]]}, defaults).prompt == (1, 2)
