"""Takes pictures of the running program with the real Spark Tiny pair: `python -m screenshots.make`.

Each picture is an SVG and a PNG, which needs rsvg-convert, or cairosvg (in the dev extra) and libcairo; the font is
whatever monospaced one the machine has. `--only bench` plays one scene. `--fake` shows a desk without an engine, for
working on the screen; its pictures go to a temporary folder, because what is shown to others must be real. The
user's own settings, models, conversations and runs are neither shown nor changed.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.strip import Strip

from sparkdesk.config.paths import HOME_VARIABLE
from sparkdesk.errors import SparkDeskError
from sparkdesk.ui.app import SparkDeskApp
from sparkdesk.ui.chat.screen import ChatScreen
from sparkdesk.ui.chat.state import Stage
from sparkdesk.ui.protocol import Backend
from sparkdesk.ui.settings.preferences import Preferences
from sparkdesk.ui.shared.prompt import Prompt

HERE = Path(__file__).parent
SIZE, SMALL = (120, 36), (80, 24)
COUNT, FUNCTION, STORY = (
    "Count from 1 to 40.",
    "Write a Python function that adds 7 to a number.",
    "Tell me a little story.",
)
_CATALOG = """
[[pair]]
name = "spark-tiny-again"
title = "Spark Tiny once more"
notes = ["From a hub on this machine, to show how a pair comes."]
[pair.target]
checkpoint = "Home/Spark-Tiny"
licence = "MIT"
[pair.draft]
checkpoint = "Home/Spark-Tiny-DSpark"
licence = "MIT"
"""
_PATIENCE_S = 300.0
_PIXELS_PER_COLUMN = 12


class Photographer:
    """Plays a scene on a running desk and keeps what is on its screen."""

    def __init__(self, app: SparkDeskApp, pilot: Pilot[None], *, folder: Path) -> None:
        self._app, self._pilot, self._folder = app, pilot, folder

    @property
    def _chat(self) -> ChatScreen:
        screen = self._app.screen_stack[0]
        assert isinstance(screen, ChatScreen)
        return screen

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)
        await self._pilot.pause(0.2)

    async def ready(self) -> None:
        await self._until(lambda: self._chat.stage in (Stage.READY, Stage.DOWN))
        if self._chat.stage is Stage.DOWN:
            sys.exit("The desk did not open: run `sparkdesk doctor`.")

    async def ask(self, text: str) -> None:
        """Send a prompt and wait for the whole reply."""
        self._chat.query_one(Prompt).show(text)
        await self.press("enter")
        await self.ready()

    async def take(self, name: str) -> None:
        await self._pilot.pause(0.5)
        picture = self._folder / f"{name}.svg"
        picture.write_text(_standing_alone(self._app.export_screenshot(title="sparkdesk")), encoding="utf-8")
        print(picture)
        _rasterize(picture, width=_PIXELS_PER_COLUMN * self._app.size.width)

    async def sees(self, words: str) -> None:
        """Wait until they are somewhere on the screen."""
        await self._until(lambda: words in "\n".join(strip.text for strip in self._strips()))

    def _strips(self) -> list[Strip]:
        return self._app.screen._compositor.render_strips()

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                sys.exit("The desk took too long.")
            await self._pilot.pause(0.05)


async def wide_scenes(photographer: Photographer) -> None:
    """On, off and on again within one conversation."""
    await photographer.ready()
    await photographer.ask(FUNCTION)
    await photographer.press("ctrl+s")
    await photographer.ask(COUNT)
    await photographer.take("off")
    await photographer.press("ctrl+s")
    await photographer.ask(STORY)
    await photographer.take("chat")
    await photographer.press("ctrl+g")
    await photographer.take("origins")
    await photographer.press("ctrl+g", "f1")
    await photographer.take("help")
    await photographer.press("escape", "f2")
    await photographer.take("settings")


async def bench_scenes(photographer: Photographer) -> None:
    """A race as it is replayed and its verdict, and a short suite."""
    await photographer.ready()
    await photographer.press("f8")
    await photographer.press("down", "enter")
    await photographer.sees("measured first")
    await photographer.press("s")
    await photographer.take("race")
    await photographer.press("2", "s")
    await photographer.sees("Kept under Runs")
    await photographer.take("bench")


async def models_scenes(photographer: Photographer) -> None:
    """A pair on its way from a hub on this machine, then the lists."""
    await photographer.ready()
    await photographer.press("f7", "2", "end")
    await photographer.sees("Spark Tiny once more")
    await photographer.take("catalogue")
    await photographer.press("enter")
    await photographer.sees("to download")
    await photographer.press("enter")
    await photographer.sees("8 MB of 19 MB")
    await photographer.take("models")


async def small_scenes(photographer: Photographer) -> None:
    await photographer.ready()
    await photographer.ask(COUNT)
    await photographer.take("small")


async def light_scenes(photographer: Photographer) -> None:
    await photographer.ready()
    await photographer.ask(FUNCTION)
    await photographer.take("light")


SCENES = {
    "chat": (SIZE, wide_scenes, "spark-dark"),
    "small": (SMALL, small_scenes, "spark-dark"),
    "light": (SIZE, light_scenes, "spark-light"),
    "models": (SIZE, models_scenes, "spark-dark"),
    "bench": (SIZE, bench_scenes, "spark-dark"),
}


def main() -> None:
    options = _parser().parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sparkdesk-")) if options.fake else HERE
    with tempfile.TemporaryDirectory(prefix="sparkdesk-") as home, _hub(Path(home)) as address:
        os.environ |= {HOME_VARIABLE: home, "HF_ENDPOINT": address, "HF_HUB_CACHE": f"{home}/hub", "HF_TOKEN": ""}
        try:
            asyncio.run(_take_all(options, folder))
        except SparkDeskError as error:
            sys.exit(str(error))


async def _take_all(options: argparse.Namespace, folder: Path) -> None:
    for name, (size, scene, theme) in SCENES.items():
        if options.only not in (None, name):
            continue
        with _desk(options) as desk:
            app = SparkDeskApp(desk, Preferences(Path("~/.config/sparkdesk/settings.toml")))
            app.theme = theme
            async with app.run_test(size=size) as pilot:
                await scene(Photographer(app, pilot, folder=folder))


@contextmanager
def _desk(options: argparse.Namespace) -> Iterator[Backend]:
    """The same parts as the command line puts together, with the usual settings and a fixed seed."""
    if options.fake:
        from tests.ui.fake_backend import FakeBackend, Script

        yield FakeBackend(Script(is_paced=True))
        return
    from sparkdesk.backend.local import LocalBackend
    from sparkdesk.backend.shared_engine import SharedEngine
    from sparkdesk.chat.settings import ChatSettings
    from sparkdesk.config.paths import user_paths
    from sparkdesk.engine.settings import LoadSettings, SamplingSettings
    from sparkdesk.loading.choice import chosen_pair
    from sparkdesk.runner.client import EngineClient

    pair = chosen_pair(options.target, options.draft)
    chat = ChatSettings(sampling=SamplingSettings(seed=7))
    with EngineClient(machine_file=user_paths().machine_file) as client:
        yield LocalBackend(
            pair, SharedEngine(client), how=lambda: LoadSettings(""), chat=chat, history_file=user_paths().history_file
        )


@contextmanager
def _hub(home: Path) -> Iterator[str]:
    """The address of a hub that has Spark Tiny's checkpoints, and sends them as slowly as a home's line would."""
    from sparkdesk.demo import bundled
    from tests.hub.server import Hub

    hub = Hub()
    hub.piece_s = 0.006
    for name, folder in (
        ("Home/Spark-Tiny", bundled.target_folder()),
        ("Home/Spark-Tiny-DSpark", bundled.draft_folder()),
    ):
        hub.add(name, {path.name: path.read_bytes() for path in folder.iterdir()})
    config = home / "config"
    config.mkdir(parents=True)
    (config / "catalog.toml").write_text(_CATALOG, encoding="utf-8")
    with hub.running():
        yield hub.address


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fake", action="store_true", help="a desk without an engine")
    parser.add_argument("--only", choices=SCENES, help="this scene alone")
    parser.add_argument("--target", metavar="FILE", help="another target than Spark Tiny's")
    parser.add_argument("--draft", metavar="FILE", help="its draft")
    return parser


def _standing_alone(svg: str) -> str:
    """Without fonts from the network, and with the spaces that some renderers would drop."""
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return without_fonts.replace("<svg ", '<svg xml:space="preserve" ', 1)


def _rasterize(picture: Path, *, width: int) -> None:
    png = picture.with_suffix(".png")
    if converter := shutil.which("rsvg-convert"):
        subprocess.run([converter, "--width", str(width), str(picture), "--output", str(png)], check=True)
    else:
        import cairosvg

        # It looks for the first font named, and for no other.
        svg = picture.read_text("utf-8").replace("Fira Code", "monospace")
        cairosvg.svg2png(bytestring=svg.encode(), write_to=str(png), output_width=width)
    print(png)


if __name__ == "__main__":
    main()
