"""The tokens that end a reply besides the one that ends the text, as far as a GGUF file must name them."""

from collections.abc import Iterator, Sequence

from converters import names
from converters.config import Config
from converters.errors import UnsupportedModel
from converters.vocabulary import CONTROL

# A control token of one of these names ends a reply without being stated; for others there are two keys.
_KNOWN = (
    *("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "</s>"),
    *("<eos>", "<end_of_turn>", "<turn|>", "<|tool_response>"),
)
_KEYS = (names.EOT_ID, names.EOM_ID)


def end_ids(
    tokens: Sequence[str],
    types: Sequence[int],
    special: Sequence[tuple[str, int]],
    *,
    generation: Config,
    model: Config,
) -> Iterator[tuple[str, int]]:
    """GGUF key and id of each; generation_config.json has the last word on them where it says any."""
    source = generation if generation.has("eos_token_id") else model
    stated = stated_tokens(source, "eos_token_id", len(tokens))
    eos = dict(special)[names.EOS_ID]
    known = {token for token in stated if tokens[token] in _KNOWN and types[token] == CONTROL}
    unknown = [token for token in dict.fromkeys(stated) if token != eos and token not in known]
    if len(unknown) > len(_KEYS):
        raise UnsupportedModel(f"{len(unknown) + 1} tokens end a reply, more than a GGUF file can name.")
    yield from zip(_KEYS, unknown, strict=False)


def stated_tokens(config: Config, name: str, token_count: int) -> tuple[int, ...]:
    """One token's id or a list of them; none where the field is not there."""
    stated = config.raw(name)
    ids = stated if isinstance(stated, list) else [] if stated is None else [stated]
    if any(type(token) is not int or not 0 <= token < token_count for token in ids):
        raise config.fault(name, "tokens of the vocabulary", stated)
    return tuple(ids)
