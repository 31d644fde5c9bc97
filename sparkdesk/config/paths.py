"""Where SparkDesk keeps its files: platformdirs by default, all below SPARKDESK_HOME when that is set."""

import os
from dataclasses import dataclass
from pathlib import Path

from sparkdesk.local_path import expanded

HOME_VARIABLE = "SPARKDESK_HOME"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one user; nothing is created before it is needed."""

    config: Path
    """Settings the user edits."""
    data: Path
    """Models and conversations."""
    state: Path
    """What was learnt about this machine, and logs."""
    cache: Path
    """Whatever can be made again."""

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def history_file(self) -> Path:
        """Conversations."""
        return self.data / "conversations.db"

    @property
    def settings_file(self) -> Path:
        return self.config / "settings.toml"

    @property
    def catalog_file(self) -> Path:
        """Pairs the user adds to ours."""
        return self.config / "catalog.toml"

    @property
    def machine_file(self) -> Path:
        return self.state / "machine.json"

    @property
    def learned(self) -> Path:
        """What the scheduler learnt about each pair: costs and chances, never text."""
        return self.state / "learnt"

    @property
    def runs(self) -> Path:
        """Benchmark runs of the screen: figures, never text."""
        return self.state / "runs"

    @property
    def last_used_file(self) -> Path:
        """When which model was loaded."""
        return self.state / "last_used.json"

    @property
    def headers_file(self) -> Path:
        """Headers of model files that were read before."""
        return self.cache / "headers.json"

    @property
    def logs(self) -> Path:
        return self.state / "logs"


def user_paths() -> Paths:
    home = os.environ.get(HOME_VARIABLE)
    if home:
        root = expanded(home).absolute()
        return Paths(config=root / "config", data=root / "data", state=root / "state", cache=root / "cache")
    from platformdirs import PlatformDirs  # not needed when SPARKDESK_HOME is set, nor for --help

    dirs = PlatformDirs("sparkdesk", appauthor=False)
    return Paths(
        config=Path(dirs.user_config_dir),
        data=Path(dirs.user_data_dir),
        state=Path(dirs.user_state_dir),
        cache=Path(dirs.user_cache_dir),
    )
