"""Journey from Hugging Face's hub to the disk: what a repository holds, and its files in the hub's own cache.

`client.py` is the only module that loads huggingface_hub. Everything else works on values.
"""
