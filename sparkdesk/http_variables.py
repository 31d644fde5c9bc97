"""The variables an HTTP client reads when it is made: where one cannot be used, that is said before it asks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converters.regular_file import check_regular
from sparkdesk.errors import UsageError

_CERTIFICATES = "SSL_CERT_FILE"


@contextmanager
def checked_variables() -> Iterator[None]:
    """Around the making of a client. Raises UsageError; certificates in a pipe or device would be read for ever."""
    try:
        if certificates := os.environ.get(_CERTIFICATES):
            check_regular(Path(certificates))
        yield
    except (OSError, ValueError, ImportError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"A variable for proxies or certificates cannot be used: {reason}.",
            f"Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, {_CERTIFICATES} and SSL_CERT_DIR.",
        ) from None
