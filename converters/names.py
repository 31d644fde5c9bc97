"""Every GGUF key and tensor name this package writes, as strings.

The `gguf` package does not know the `dflash` architecture, so nothing here is looked up there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Architectures
QWEN3 = "qwen3"
GEMMA4 = "gemma4"
DFLASH = "dflash"
EAGLE3 = "eagle3"

# General keys
NAME = "general.name"
TYPE = "general.type"
FILE_TYPE = "general.file_type"
QUANTIZATION_VERSION = "general.quantization_version"
LICENSE = "general.license"
BASENAME = "general.basename"
SIZE_LABEL = "general.size_label"
ORGANIZATION = "general.organization"
SOURCE_URL = "general.source.url"
SOURCE_REPOSITORY = "general.source.huggingface.repository"
SOURCE_REVISION = "general.source.revision"
BASE_MODEL_COUNT = "general.base_model.count"
BASE_MODEL_NAME = "general.base_model.0.name"
BASE_MODEL_ORGANIZATION = "general.base_model.0.organization"
BASE_MODEL_URL = "general.base_model.0.repo_url"
CONVERTED_BY = "general.converted_by"

# Keys of a model's shape; the architecture goes in front
BLOCK_COUNT = "{arch}.block_count"
CONTEXT_LENGTH = "{arch}.context_length"
VOCAB_SIZE = "{arch}.vocab_size"
EMBEDDING_LENGTH = "{arch}.embedding_length"
FEED_FORWARD_LENGTH = "{arch}.feed_forward_length"
HEAD_COUNT = "{arch}.attention.head_count"
HEAD_COUNT_KV = "{arch}.attention.head_count_kv"
KEY_LENGTH = "{arch}.attention.key_length"
VALUE_LENGTH = "{arch}.attention.value_length"
RMS_EPSILON = "{arch}.attention.layer_norm_rms_epsilon"
ROPE_FREQ_BASE = "{arch}.rope.freq_base"
ROPE_SCALING_TYPE = "{arch}.rope.scaling.type"
ROPE_SCALING_FACTOR = "{arch}.rope.scaling.factor"
ROPE_SCALING_ORIGINAL = "{arch}.rope.scaling.original_context_length"

# Keys of a Gemma 4 backbone
KEY_LENGTH_SWA = "{arch}.attention.key_length_swa"
VALUE_LENGTH_SWA = "{arch}.attention.value_length_swa"
SHARED_KV_LAYERS = "{arch}.attention.shared_kv_layers"
SLIDING_WINDOW = "{arch}.attention.sliding_window"
SLIDING_WINDOW_PATTERN = "{arch}.attention.sliding_window_pattern"
PER_LAYER_EMBEDDING_LENGTH = "{arch}.embedding_length_per_layer_input"
ROPE_DIMENSION_COUNT = "{arch}.rope.dimension_count"
ROPE_DIMENSION_COUNT_SWA = "{arch}.rope.dimension_count_swa"
ROPE_FREQ_BASE_SWA = "{arch}.rope.freq_base_swa"
FINAL_LOGIT_SOFTCAPPING = "{arch}.final_logit_softcapping"

# Keys only a draft has
BLOCK_SIZE = "dflash.block_size"
TARGET_LAYERS = "dflash.target_layers"
SAMPLE_FROM_ANCHOR = "dflash.sample_from_anchor"
HAS_CONFIDENCE_HEAD = "dflash.has_confidence_head"
EMBEDDING_SCALE = "dflash.embedding_scale"
ATTENTION_SCALE = "dflash.attention.scale"
HIDDEN_ACTIVATION = "dflash.hidden_activation"

# Keys only an EAGLE-3 draft has
EAGLE3_TARGET_LAYERS = "eagle3.target_layers"
EAGLE3_TARGET_HIDDEN_SIZE = "eagle3.target_hidden_size"
EAGLE3_NORM_BEFORE_RESIDUAL = "eagle3.norm_before_residual"
EAGLE3_NORM_BEFORE_FC = "eagle3.norm_before_fc"
# Our own: what llama.cpp's eagle3 graph lacks, and the engine does for it
EAGLE3_FEATURE_LAYERS = "sparkdesk.eagle3.feature_layers"
EAGLE3_Q_NORM = "sparkdesk.eagle3.q_norm"
EAGLE3_K_NORM = "sparkdesk.eagle3.k_norm"

# Tokenizer keys
TOKENIZER_PREFIX = "tokenizer.ggml."
TOKENIZER_MODEL = "tokenizer.ggml.model"
TOKENIZER_PRE = "tokenizer.ggml.pre"
TOKENS = "tokenizer.ggml.tokens"
TOKEN_TYPES = "tokenizer.ggml.token_type"
MERGES = "tokenizer.ggml.merges"
BOS_ID = "tokenizer.ggml.bos_token_id"
EOS_ID = "tokenizer.ggml.eos_token_id"
EOT_ID = "tokenizer.ggml.eot_token_id"
EOM_ID = "tokenizer.ggml.eom_token_id"
UNKNOWN_ID = "tokenizer.ggml.unknown_token_id"
PAD_ID = "tokenizer.ggml.padding_token_id"
MASK_ID = "tokenizer.ggml.mask_token_id"
ADD_BOS = "tokenizer.ggml.add_bos_token"
SUPPRESS_TOKENS = "tokenizer.ggml.suppress_tokens"
CHAT_TEMPLATE = "tokenizer.chat_template"
NORMALIZER = "sparkdesk.tokenizer.normalizer"  # our own: llama.cpp has no such key, and does not normalize

# Tensors of the whole model
TOKEN_EMBEDDINGS = "token_embd.weight"
OUTPUT_NORM = "output_norm.weight"
OUTPUT_HEAD = "output.weight"
ROPE_FREQS = "rope_freqs.weight"
FEATURE_PROJECTION = "fc.weight"
FEATURE_NORM = "enc.output_norm.weight"
MARKOV_W1 = "markov_w1.weight"
MARKOV_W2 = "markov_w2.weight"
CONFIDENCE_WEIGHT = "conf_proj.weight"
CONFIDENCE_BIAS = "conf_proj.bias"
DRAFT_TO_TARGET = "d2t"

# Tensors of one layer; `blk.N.` goes in front and `.weight` behind
ATTENTION_NORM = "attn_norm"
ATTENTION_NORM_2 = "attn_norm_2"
ATTENTION_Q = "attn_q"
ATTENTION_K = "attn_k"
ATTENTION_V = "attn_v"
ATTENTION_OUTPUT = "attn_output"
ATTENTION_Q_NORM = "attn_q_norm"
ATTENTION_K_NORM = "attn_k_norm"
POST_ATTENTION_NORM = "post_attention_norm"
POST_FFN_NORM = "post_ffw_norm"
LAYER_OUTPUT_SCALE = "layer_output_scale"
FFN_NORM = "ffn_norm"
FFN_GATE = "ffn_gate"
FFN_UP = "ffn_up"
FFN_DOWN = "ffn_down"


def key(template: str, architecture: str) -> str:
    return template.format(arch=architecture)


def layer_tensor(layer: int, part: str) -> str:
    return f"blk.{layer}.{part}.weight"


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    value: object
    kind: str
    """The GGUF value type by name, such as `UINT32`; `ARRAY` for lists."""

    item_kind: str | None = None
    """The type of a list's items."""


def u32(key: str, value: int) -> Entry:
    return Entry(key, value, "UINT32")


def f32(key: str, value: float) -> Entry:
    return Entry(key, value, "FLOAT32")


def flag(key: str, value: bool) -> Entry:
    return Entry(key, value, "BOOL")


def text(key: str, value: str) -> Entry:
    return Entry(key, value, "STRING")


def i32_list(key: str, values: Sequence[int]) -> Entry:
    return Entry(key, list(values), "ARRAY", "INT32")


def f32_list(key: str, values: Sequence[float]) -> Entry:
    return Entry(key, list(values), "ARRAY", "FLOAT32")


def flag_list(key: str, values: Sequence[bool]) -> Entry:
    return Entry(key, list(values), "ARRAY", "BOOL")


def text_list(key: str, values: Sequence[str]) -> Entry:
    return Entry(key, list(values), "ARRAY", "STRING")
