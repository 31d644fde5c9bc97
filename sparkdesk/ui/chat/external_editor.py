"""A text in the user's own editor: $VISUAL, else $EDITOR, in the place of the screen until it ends."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from sparkdesk.errors import UsageError
from sparkdesk.machine.child_processes import safe_environment


def edited(text: str, app: App[Any]) -> str:
    """What the editor saved. Raises UsageError where there is none, or where it fails: the text is as it was then."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise UsageError("No editor is set.", "Set $VISUAL or $EDITOR, for example EDITOR=nano.")
    handle, name = tempfile.mkstemp(prefix="sparkdesk-message-", suffix=".md")  # for the user's eyes only: mode 600
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        with app.suspend():
            code = subprocess.run([*words, str(path)], check=False, env=safe_environment()).returncode
        app.refresh()
        if code:
            raise UsageError(f"{words[0]} ended with exit code {code}.", "The message is unchanged.")
        return path.read_text(encoding="utf-8").rstrip("\n")
    except FileNotFoundError:
        raise UsageError(
            f"There is no program {words[0]}.", "Set $VISUAL or $EDITOR to one that is installed."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{words[0]} cannot be used: {error}.", "The message is unchanged.") from error
    except SuspendNotSupported:
        raise UsageError("This terminal cannot be given to an editor.", "Write the message here.") from None
    finally:
        path.unlink(missing_ok=True)
