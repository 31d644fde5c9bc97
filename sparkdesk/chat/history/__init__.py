"""The conversations that are kept."""
