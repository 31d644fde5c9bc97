"""What can go wrong in a conversion, each with one sentence for the person who asked for it."""

_LONGEST = 600


class ConversionError(Exception):
    """A conversion that cannot go on; `hint` says what to try."""

    usual_hint = ""
    """Of this kind of error, where nothing better is known."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _printable(message)
        super().__init__(self.message)
        self.hint = hint or self.usual_hint


def _printable(message: str) -> str:
    """Names and values in it come from files of strangers: no line breaks, no terminal codes, no half characters."""
    shortened = message if len(message) <= _LONGEST else message[: _LONGEST - 4] + "...."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shortened)


class BadCheckpoint(ConversionError):
    """The files of the checkpoint are missing, damaged or contradict each other."""

    usual_hint = "Download the whole checkpoint again."


class UnsupportedModel(ConversionError):
    """The checkpoint is sound, but of a kind this converter does not know."""

    usual_hint = "Look for a ready-made GGUF file of this model."


class PairMismatch(ConversionError):
    """Draft and target do not belong together."""

    usual_hint = "Pick the target this draft was trained for."


class CannotWrite(ConversionError):
    """The output exists already, or its folder cannot take it."""

    usual_hint = "Choose another folder."


class QuantizeFailed(ConversionError):
    """llama.cpp could not quantize the converted file."""

    usual_hint = "Choose Q8_0, which is made without llama.cpp."
