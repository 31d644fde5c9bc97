"""Replies from a server that speaks OpenAI's API: ours, llama-server, vLLM, SGLang."""
