"""The same pair on another engine: the command lines that vLLM, SGLang and llama-server want. Pure."""
