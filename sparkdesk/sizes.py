"""Sizes and times as people read them."""

_DAY_S = 86_400


def size_in_words(size_bytes: int) -> str:
    """ "5.0 GB", "12 MB", "3 kB"."""
    for unit, step in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= step * 0.9995:
            number = size_bytes / step
            return f"{number:.1f} {unit}" if unit == "GB" else f"{number:.0f} {unit}"
    return f"{-(-size_bytes // 1000)} kB"


def parameters_in_words(count: int) -> str:
    """ "8.2B", "494M"; empty for none."""
    if count >= 1e9:
        return f"{count / 1e9:.1f}B"
    return f"{count / 1e6:.0f}M" if count >= 5e5 else ""


def day_in_words(then_s: float, now_s: float) -> str:
    """ "today", "3 days ago", "never"."""
    if not then_s:
        return "never"
    days = int(now_s // _DAY_S - then_s // _DAY_S)
    if days <= 0:
        return "today"
    return "yesterday" if days == 1 else f"{days} days ago" if days < 100 else f"{days // 30} months ago"


def shortened(text: str, width: int) -> str:
    """Without its middle: a model's name ends in its quantization."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
