"""Every GGUF key and tensor name this package writes, as strings.

The `gguf` package does not know the `dflash` architecture, so nothing here is looked up there.
"""

# Architectures
QWEN3 = "qwen3"
DFLASH = "dflash"

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

# Keys only a draft has
BLOCK_SIZE = "dflash.block_size"
TARGET_LAYERS = "dflash.target_layers"
SAMPLE_FROM_ANCHOR = "dflash.sample_from_anchor"
HAS_CONFIDENCE_HEAD = "dflash.has_confidence_head"

# Tokenizer keys
TOKENIZER_PREFIX = "tokenizer.ggml."
TOKENIZER_MODEL = "tokenizer.ggml.model"
TOKENIZER_PRE = "tokenizer.ggml.pre"
TOKENS = "tokenizer.ggml.tokens"
TOKEN_TYPES = "tokenizer.ggml.token_type"
MERGES = "tokenizer.ggml.merges"
BOS_ID = "tokenizer.ggml.bos_token_id"
EOS_ID = "tokenizer.ggml.eos_token_id"
PAD_ID = "tokenizer.ggml.padding_token_id"
MASK_ID = "tokenizer.ggml.mask_token_id"
ADD_BOS = "tokenizer.ggml.add_bos_token"
CHAT_TEMPLATE = "tokenizer.chat_template"

# Tensors of the whole model
TOKEN_EMBEDDINGS = "token_embd.weight"
OUTPUT_NORM = "output_norm.weight"
OUTPUT_HEAD = "output.weight"
FEATURE_PROJECTION = "fc.weight"
FEATURE_NORM = "enc.output_norm.weight"
MARKOV_W1 = "markov_w1.weight"
MARKOV_W2 = "markov_w2.weight"
CONFIDENCE_WEIGHT = "conf_proj.weight"
CONFIDENCE_BIAS = "conf_proj.bias"
DRAFT_TO_TARGET = "d2t"

# Tensors of one layer; `blk.N.` goes in front and `.weight` behind
ATTENTION_NORM = "attn_norm"
ATTENTION_Q = "attn_q"
ATTENTION_K = "attn_k"
ATTENTION_V = "attn_v"
ATTENTION_OUTPUT = "attn_output"
ATTENTION_Q_NORM = "attn_q_norm"
ATTENTION_K_NORM = "attn_k_norm"
FFN_NORM = "ffn_norm"
FFN_GATE = "ffn_gate"
FFN_UP = "ffn_up"
FFN_DOWN = "ffn_down"


def key(template: str, architecture: str) -> str:
    return template.format(arch=architecture)


def layer_tensor(layer: int, part: str) -> str:
    return f"blk.{layer}.{part}.weight"
