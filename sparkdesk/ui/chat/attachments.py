"""Text files that go with a message: read with care, completed while their path is typed, recognized when pasted."""

import os
import re
import shlex
from pathlib import Path
from urllib.parse import unquote, urlparse

from converters.regular_file import read_regular
from sparkdesk.chat.messages import Attachment
from sparkdesk.errors import UsageError

LARGEST_BYTES = 2_000_000
"""More text than any context takes."""
_LOOKED_AT_BYTES = 8192
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_MOST_COMPLETIONS = 200


def read_attachment(path: Path) -> Attachment:
    """Raises UsageError with a sentence for everything that is no text file of a sensible size."""
    try:
        if path.is_dir():
            raise UsageError(f"{path.name} is a folder.", "Pick a file in it.")
        if path.exists() and not path.is_file():
            raise UsageError(f"{path.name} is not a regular file.")
        size_bytes = path.stat().st_size
        if size_bytes > LARGEST_BYTES:
            most = LARGEST_BYTES // 1_000_000
            raise UsageError(f"{path.name} has {size_bytes / 1e6:.1f} MB; at most {most} MB can be attached.")
        data = read_regular(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    text = _decode(data, path.name)
    if not text.strip():
        raise UsageError(f"{path.name} is empty.")
    return Attachment(path.name, text)


def completions(written: str, *, home: Path, here: Path) -> list[str]:
    """What the path that is being written may become, folders first, hidden ones only when they are asked for."""
    folder_text, _, beginning = written.rpartition("/")
    folder_text = f"{folder_text}/" if "/" in written else ""
    folder = expanded(folder_text or ".", home=home, here=here)
    try:
        with os.scandir(folder) as entries:
            found = [
                (not _is_folder(entry), entry.name.lower(), entry.name)
                for entry in entries
                if entry.name.lower().startswith(beginning.lower())
                and (beginning.startswith(".") or not entry.name.startswith("."))
            ]
    except OSError:
        return []
    return [folder_text + name + ("" if is_file else "/") for is_file, _, name in sorted(found)[:_MOST_COMPLETIONS]]


def common_beginning(paths: list[str], written: str) -> str:
    """As far as all of them agree, but never less than what is written."""
    shared = os.path.commonprefix(paths)  # noqa: RUF071  letters are what is completed, not whole names
    return shared if len(shared) > len(written) else written


def expanded(written: str, *, home: Path, here: Path) -> Path:
    """`~` is home; everything else that is not absolute counts from here."""
    if written == "~" or written.startswith("~/"):
        return home / written[2:]
    return here / written


def pasted_path(text: str, *, home: Path, here: Path) -> Path | None:
    """The file that a pasted text names exactly, however a terminal or a file manager writes it."""
    line = text.strip()
    if not line or "\n" in line or len(line) > 4096:
        return None
    for written in _readings(line):
        path = expanded(written, home=home, here=here)
        try:
            if path.is_absolute() and path.is_file():
                return path
        except (OSError, ValueError):  # too long, or a NUL in it
            continue
    return None


def _readings(line: str) -> list[str]:
    """As it stands, as a file: address, and as a shell would read it."""
    readings = [line]
    if line.startswith("file://"):
        readings.append(unquote(urlparse(line).path))
    if re.search(r"""["'\\]""", line):
        try:
            words = shlex.split(line)
        except ValueError:
            words = []
        readings += words if len(words) == 1 else []
    return readings


def _decode(data: bytes, name: str) -> str:
    marked = [encoding for mark, encoding in _BYTE_ORDER_MARKS if data.startswith(mark)]
    encoding = marked[0] if marked else "utf-8"
    if not marked and b"\0" in data[:_LOOKED_AT_BYTES]:
        raise UsageError(f"{name} is not a text file.", "Only text can be attached.")
    try:
        return data.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text.", "Only text can be attached; convert it first.") from None


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
