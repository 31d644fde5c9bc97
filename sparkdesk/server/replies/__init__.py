"""Replies as OpenAI's clients expect them."""
