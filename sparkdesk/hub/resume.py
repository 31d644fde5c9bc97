"""What a download that was cut was of: the cache knows a file's digest, and the hub which file that is."""

from collections.abc import Generator

from sparkdesk.errors import NotOnHub
from sparkdesk.events import Notice, Progress
from sparkdesk.hub.choose import checkpoint_files, gguf_choices, quantization_of
from sparkdesk.hub.download import FileSelection
from sparkdesk.hub.lookup import Lookup
from sparkdesk.hub.model import CHECKPOINT, GGUF, ModelSource


def find_begun(lookup: Lookup, repository: str, partial_name: str) -> Generator[Progress | Notice, None, ModelSource]:
    """The model that the file belongs to, with all its files. Raises DownloadError."""
    digest = partial_name.partition(".")[0]
    found = yield from lookup.repository(repository)
    file = next((file for file in found.files if file.digest == digest), None)
    if file is None:
        raise NotOnHub(
            f"{repository} has changed: the file of this download is no longer in it.",
            "Remove the incomplete download, then download the model again.",
        )
    if not file.path.lower().endswith(".gguf"):
        return ModelSource(CHECKPOINT, FileSelection(found, checkpoint_files(found)))
    choices = (*gguf_choices(found), *gguf_choices(found, is_draft=True))
    files = next((choice.files for choice in choices if file in choice.files), (file,))
    return ModelSource(GGUF, FileSelection(found, files), quantization=quantization_of(file.path))
