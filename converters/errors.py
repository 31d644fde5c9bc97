"""What can go wrong in a conversion, each with one sentence for the person who asked for it."""


class ConversionError(Exception):
    """A conversion that cannot go on; `hint` says what to try."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadCheckpoint(ConversionError):
    """The files of the checkpoint are missing, damaged or contradict each other."""


class UnsupportedModel(ConversionError):
    """The checkpoint is sound, but of a kind this converter does not know."""


class PairMismatch(ConversionError):
    """Draft and target do not belong together."""


class CannotWrite(ConversionError):
    """The output exists already, or its folder cannot take it."""


class QuantizeFailed(ConversionError):
    """llama.cpp could not quantize the converted file."""
