"""How a file is quantized, in the name people know: from general.file_type, else from its tensors' types."""

from collections import Counter

from sparkdesk.gguf.header import GgufFile

# llama.cpp's numbers (llama_ftype).
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
}  # fmt: skip
_GUESSED = 1024  # set beside the number by whoever was not sure
_TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K",
    13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


def quantization_of(header: GgufFile) -> str:
    """ "Q4_K_M", or "?" where nobody knows."""
    file_type = header.metadata.get("general.file_type")
    if isinstance(file_type, int) and file_type % _GUESSED in _FILE_TYPES:
        return _FILE_TYPES[file_type % _GUESSED]
    weights: Counter[int] = Counter()
    for tensor in header.tensors.values():
        if len(tensor.shape) > 1:
            weights[tensor.ggml_type] += tensor.size_bytes
    return _TENSOR_TYPES.get(weights.most_common(1)[0][0], "?") if weights else "?"


def parameter_count(header: GgufFile) -> int:
    total = 0
    for tensor in header.tensors.values():
        count = 1
        for dimension in tensor.shape:
            count *= dimension
        total += count
    return total
