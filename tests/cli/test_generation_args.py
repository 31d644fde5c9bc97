"""What a command line and the settings file amount to: arguments first, then the preset, then the defaults."""

from argparse import Namespace
from pathlib import Path

import pytest

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli import app, generation_args
from sparkdesk.config.settings import Preset, Settings, settings_from
from sparkdesk.errors import UsageError

FILE = Path("settings.toml")
WRITER = Preset(system_prompt="Write.", thinking=True, temperature=1.1, top_k=0, presence_penalty=0.5, max_tokens=99)


def parsed(*arguments: str) -> Namespace:
    return app.parser_for("chat").parse(["chat", *arguments])


def chat(*arguments: str, settings: Settings | None = None) -> ChatSettings:
    return generation_args.chat_settings(parsed(*arguments), settings or Settings())


def test_without_anything_it_is_the_defaults() -> None:
    assert chat() == ChatSettings()


def test_the_arguments_of_a_conversation() -> None:
    asked = chat("--system", "Be brief.", "--thinking", "--temperature", "0", "--seed", "3", "--max-tokens", "5")
    assert (asked.system_prompt, asked.is_thinking, asked.max_tokens) == ("Be brief.", True, 5)
    assert (asked.sampling.temperature, asked.sampling.seed) == (0.0, 3)


def test_a_preset_is_taken_where_it_is_named_or_the_default() -> None:
    kept = Settings(presets={"writer": WRITER})
    for made in (
        chat("--preset", "writer", settings=kept),
        chat(settings=Settings(preset="writer", presets={"writer": WRITER})),
    ):
        assert (made.system_prompt, made.is_thinking, made.max_tokens) == ("Write.", True, 99)
        assert (made.sampling.temperature, made.sampling.top_k, made.sampling.presence_penalty) == (1.1, 0, 0.5)
        assert made.sampling.top_p == ChatSettings().sampling.top_p
    assert chat(settings=kept) == ChatSettings()
    assert chat("--preset", "", settings=Settings(preset="writer", presets={"writer": WRITER})) == ChatSettings()


def test_an_argument_goes_before_the_preset() -> None:
    kept = Settings(preset="writer", presets={"writer": WRITER})
    made = chat("--no-thinking", "--system", "Sum up.", "--temperature", "0.2", settings=kept)
    assert (made.system_prompt, made.is_thinking, made.sampling.temperature) == ("Sum up.", False, 0.2)
    assert made.sampling.top_k == 0 and made.max_tokens == 99


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"no preset 'writter'.*There are writer\."):
        chat("--preset", "writter", settings=Settings(presets={"writer": WRITER}))


def test_presets_come_from_the_settings_file() -> None:
    read = settings_from(
        {"preset": "short", "presets": {"short": {"system_prompt": "Brief.", "temperature": 0, "thinking": False}}},
        FILE,
    )
    assert read.presets["short"] == Preset("Brief.", thinking=False, temperature=0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"presets": 3},
        {"presets": {"a": 3}},
        {"presets": {"a": {"temprature": 1}}},
        {"presets": {"a": {"temperature": -1}}},
        {"presets": {"a": {"temperature": float("nan")}}},
        {"presets": {"a": {"temperature": True}}},
        {"presets": {"a": {"top_p": 1.5}}},
        {"presets": {"a": {"top_k": 0.5}}},
        {"presets": {"a": {"thinking": "yes"}}},
        {"presets": {"a": {"system_prompt": 4}}},
    ],
)
def test_a_preset_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="presets is"):
        settings_from(wrong, FILE)


def test_files_are_attached(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("alpha")
    (tmp_path / "b.txt").write_text("beta")
    options = parsed("--file", str(tmp_path / "a.txt"), "--file", str(tmp_path / "b.txt"))
    assert [each.text for each in generation_args.attachments(options)] == ["alpha", "beta"]
    with pytest.raises(UsageError, match="no file"):
        generation_args.attachments(parsed("--file", str(tmp_path / "c.txt")))


def test_new_and_continue_exclude_each_other() -> None:
    assert parsed("--continue").continues and not parsed("--new").continues and not parsed().continues
    with pytest.raises(UsageError, match="not allowed with"):
        parsed("--new", "--continue")


def test_where_a_target_lies_and_in_what_its_cache_is() -> None:
    usual = generation_args.loading(parsed(), Settings(cpu_experts=7, cache_type="q8_0"))
    assert (usual.cpu_experts, usual.cache_type, usual.tensor_split, usual.main_gpu) == (7, "q8_0", (), -1)
    line = ("--cpu-experts", "auto", "--cache-type", "q4_0", "-ts", "3,0,1.5", "--main-gpu", "2")
    asked = generation_args.loading(parsed(*line), Settings(cpu_experts=7, cache_type="q8_0"))
    assert (asked.cpu_experts, asked.cache_type, asked.tensor_split, asked.main_gpu) == (-1, "q4_0", (3.0, 0.0, 1.5), 2)
    said = generation_args.instead_of_settings(parsed(*line))
    assert (said["cpu_experts"], said["cache_type"]) == ("auto", "q4_0")


@pytest.mark.parametrize("given", ["", "a", "1,,2", "-1,2", "0,0", "nan", "inf,1", ",".join("1" * 99)])
def test_shares_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(UsageError, match="shares such as 3,1"):
        parsed(f"--tensor-split={given}")
