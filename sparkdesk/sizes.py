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
    """ "today", "3 days ago", "2 years ago", "never"."""
    if not then_s:
        return "never"
    days = int(now_s // _DAY_S - then_s // _DAY_S)
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    if days < 100:
        return f"{days} days ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"


def shortened(text: str, width: int) -> str:
    """Without its middle: a model's name ends in its quantization."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
