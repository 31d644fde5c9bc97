"""The output types by name: which this package encodes itself, and which llama.cpp quantizes."""

from dataclasses import dataclass

from converters.errors import ConversionError, UnsupportedModel


@dataclass(frozen=True, slots=True)
class OutputType:
    name: str
    file_type: int
    """llama.cpp's number for it, as in `general.file_type`."""

    bits_per_weight: float
    """Of a large model's matrices, for judging free space; rounded up."""

    is_direct: bool = False
    """Written straight from the checkpoint, without llama.cpp."""


_TYPES = (
    OutputType("F32", 0, 32, is_direct=True),
    OutputType("F16", 1, 16, is_direct=True),
    OutputType("BF16", 32, 16, is_direct=True),
    OutputType("Q8_0", 7, 8.5, is_direct=True),
    OutputType("Q6_K", 18, 6.6),
    OutputType("Q5_K_M", 17, 5.8),
    OutputType("Q5_K_S", 16, 5.6),
    OutputType("Q5_1", 9, 6.0),
    OutputType("Q5_0", 8, 5.8, is_direct=True),
    OutputType("Q4_K_M", 15, 5.0),
    OutputType("Q4_K_S", 14, 4.7),
    OutputType("Q4_1", 3, 5.2),
    OutputType("Q4_0", 2, 5.0, is_direct=True),
    OutputType("IQ4_NL", 25, 4.7),
    OutputType("IQ4_XS", 30, 4.5),
    OutputType("Q3_K_L", 13, 4.4),
    OutputType("Q3_K_M", 12, 4.1),
    OutputType("Q3_K_S", 11, 3.7),
    OutputType("IQ3_M", 27, 3.9),
    OutputType("IQ3_S", 26, 3.7),
    OutputType("Q2_K", 10, 3.4),
)

OUTPUT_TYPES: tuple[str, ...] = tuple(type_.name for type_ in _TYPES)

# Their codebooks are too coarse without knowing which weights matter; llama.cpp refuses them.
_NEED_IMPORTANCE_MATRIX = ("IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "Q2_K_S", "IQ1_M", "IQ1_S")


def output_type_named(name: str) -> OutputType:
    for type_ in _TYPES:
        if type_.name == name.upper():
            return type_
    if name.upper() in _NEED_IMPORTANCE_MATRIX:
        raise UnsupportedModel(
            f"{name.upper()} needs an importance matrix, which this converter does not compute.",
            hint="Choose IQ3_S or Q2_K, or download a ready-made file of that type.",
        )
    raise ConversionError(f"{name} is not a type this converter can write.", hint=f"Known: {', '.join(OUTPUT_TYPES)}.")
