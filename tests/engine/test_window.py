"""Whether sliding-window layers keep the whole context: by what it costs of the free memory."""

from pathlib import Path

from sparkdesk.engine.window import bytes_per_token, plan_window
from sparkdesk.gguf.header import ArrayLength, GgufFile

GEMMA = GgufFile(
    Path("gemma.gguf"),
    {
        "general.architecture": "gemma4",
        "gemma4.block_count": 6,
        "gemma4.attention.head_count_kv": ArrayLength(6, (8, 8, 8, 8, 8, 1)),
        "gemma4.attention.sliding_window_pattern": ArrayLength(6, (True, True, True, True, True, False)),
        "gemma4.attention.key_length": 512,
        "gemma4.attention.key_length_swa": 256,
        "gemma4.attention.value_length_swa": 256,
    },
    {},
)


def test_only_sliding_layers_count() -> None:
    assert bytes_per_token(GEMMA) == 5 * 8 * (256 + 256) * 2


def test_it_is_kept_whole_where_memory_is_plenty_and_cut_short_where_it_is_not() -> None:
    extra = (32768 - 1024 - 512) * bytes_per_token(GEMMA)
    assert plan_window(GEMMA, window=1024, context_tokens=32768, free_bytes=20 * extra).keeps_whole
    short = plan_window(GEMMA, window=1024, context_tokens=32768, free_bytes=2 * extra)
    assert not short.keeps_whole
    assert "1.3 GB" in short.note and "1,024 tokens" in short.note


def test_nothing_is_cut_where_there_is_nothing_to_cut() -> None:
    assert plan_window(GEMMA, window=0, context_tokens=32768, free_bytes=1).keeps_whole
    assert plan_window(GEMMA, window=1024, context_tokens=1024, free_bytes=1).keeps_whole
    assert plan_window(GEMMA, window=1024, context_tokens=32768, free_bytes=0).keeps_whole, "nobody says how much"
