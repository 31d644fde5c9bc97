"""The errors a person is meant to read: what happened, to what, and what to try.

SparkDeskError               exit code 1
├── UsageError               2   the command line asks for something impossible
├── ConvertError             3   a checkpoint could not become a GGUF
├── EngineError              4   the model could not be loaded or run
│   ├── ModelLoadError           a file is missing, broken, or not a model we can run
│   ├── PairMismatch             target and draft do not belong together
│   ├── GrammarError             the grammar or JSON schema a reply should keep to cannot be used
│   ├── ContextFull              the prompt is longer than the context
│   ├── OutOfMemory              the device or the machine has no room for it
│   ├── EngineBusy               it makes a reply, or is being measured
│   ├── EngineClosed             it was ended because nobody wanted it any more
│   └── EngineCrashed            the child process died; the reply so far is kept
│       └── EngineStalled            it did not react any more, and was ended
├── DataError                3   a folder or a file of ours could not be used
│   └── HistoryError             conversations could not be kept or read
└── DownloadError            5   the hub, the network or the disk said no
    ├── NotOnHub                 there is no such repository or file
    ├── AccessRefused            gated or private, and this account may not read it
    ├── HubUnreachable           no network, or offline mode
    ├── HubBusy                  too many requests, or the hub is in trouble
    ├── BrokenDownload           other bytes than the hub announced
    └── DiskFull                 the disk has no room for it
"""


class SparkDeskError(Exception):
    """An expected failure with a sentence for the user and, where there is one, a way out."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(SparkDeskError):
    exit_code = 2


class ConvertError(SparkDeskError):
    exit_code = 3


class EngineError(SparkDeskError):
    exit_code = 4


class ModelLoadError(EngineError):
    pass


class PairMismatch(EngineError):
    pass


class GrammarError(EngineError):
    pass


class ContextFull(EngineError):
    pass


class OutOfMemory(EngineError):
    pass


class EngineBusy(EngineError):
    pass


class EngineClosed(EngineError):
    pass


class EngineCrashed(EngineError):
    pass


class EngineStalled(EngineCrashed):
    pass


class DataError(SparkDeskError):
    exit_code = 3


class HistoryError(DataError):
    pass


class DownloadError(SparkDeskError):
    exit_code = 5


class NotOnHub(DownloadError):
    pass


class AccessRefused(DownloadError):
    pass


class HubUnreachable(DownloadError):
    pass


class HubBusy(DownloadError):
    """`wait_s` is how long the hub asks to be left alone, where it says so."""

    def __init__(self, message: str, hint: str = "", wait_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s


class BrokenDownload(DownloadError):
    pass


class DiskFull(DownloadError):
    pass
