"""The settings file: its defaults, its keys, and one sentence for whatever is wrong with it."""

from pathlib import Path

import pytest

from sparkdesk.config.checks import ALL_LAYERS
from sparkdesk.config.settings import Settings, read_settings
from sparkdesk.engine import settings as engine_settings
from sparkdesk.errors import UsageError


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "settings.toml") == Settings()


def test_the_defaults_are_the_engine_s() -> None:
    usual = engine_settings.LoadSettings(target_path="")
    assert Settings().context_tokens == usual.context_tokens
    assert (Settings().threads, Settings().gpu_layers) == (usual.threads, usual.gpu_layers)
    assert ALL_LAYERS == engine_settings.ALL_LAYERS


def test_every_key_is_read(tmp_path: Path) -> None:
    text = """
    threads = 4
    gpu_layers = 12
    draft_gpu_layers = 2
    saved_states_mb = 300
    context_tokens = 8192
    speculation = false
    draft_length = 5
    theme = "spark-light"
    """
    assert read_settings(write(tmp_path, text)) == Settings(
        4, 12, 8192, False, 5, "spark-light", draft_gpu_layers=2, saved_states_mb=300
    )


def test_auto_leaves_the_choice_to_the_engine(tmp_path: Path) -> None:
    found = read_settings(write(tmp_path, 'gpu_layers = "auto"\ndraft_length = "auto"'))
    assert (found.gpu_layers, found.draft_length) == (ALL_LAYERS, None)


def test_the_example_in_the_module_s_text_is_valid(tmp_path: Path) -> None:
    import sparkdesk.config.settings

    example = (sparkdesk.config.settings.__doc__ or "").partition("\n\n")[2]
    assert read_settings(write(tmp_path, example)).theme == "spark-dark"
    assert read_settings(write(tmp_path, example)).keys == {"chat.reload": "f11,f12"}


@pytest.mark.parametrize(
    "text", ['[keys]\nchat.reload = "f12"', '[keys.chat]\nreload = "f12"', 'keys."chat.reload" = "f12"']
)
def test_keys_are_known_by_their_whole_name_however_they_are_written(text: str, tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, text)).keys == {"chat.reload": "f12"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thread = 4", "'thread' is not a setting"),
        ("threads = -1", "threads is -1, but must be a whole number"),
        ("threads = true", "threads is True, but must be a whole number"),
        ("threads = 1.5", "threads is 1.5"),
        ("saved_states_mb = -1", 'saved_states_mb is -1, but must be "auto" or a whole number of megabytes'),
        ('gpu_layers = "all"', "gpu_layers is 'all', but must be \"auto\""),
        ("draft_length = 0", "draft_length is 0, but must be"),
        ("speculation = 1", "speculation is 1, but must be true or false"),
        ("theme = 3", "theme is 3, but must be the name of a theme"),
        ("threads = ", "is not valid TOML"),
        ('keys = "ctrl+l"', "keys is 'ctrl+l', but must be a table"),
        ("[keys]\nchat.reload = 4", "but must be a table"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        read_settings(path)
    assert said in raised.value.message and str(path) in raised.value.message


def test_a_folder_in_its_place_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path)
