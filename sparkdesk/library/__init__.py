"""What is on disk: targets, drafts and pairs, ours and those of other programs; and how to remove them."""

from sparkdesk.library.model import Library, Model, Pair, Partial
from sparkdesk.library.reading import read_library

__all__ = ["Library", "Model", "Pair", "Partial", "read_library"]
