"""Does what the commands at the prompt say; each has a key or an entry of the palette too."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from textual.screen import Screen

from sparkdesk.ui.chat.conversations import Conversations
from sparkdesk.ui.chat.generation_settings import GenerationSettings
from sparkdesk.ui.chat.message_actions import MessageActions
from sparkdesk.ui.chat.protocol import ChatBackend
from sparkdesk.ui.chat.slash_commands import HELP, CommandGiven
from sparkdesk.ui.chat.view import ChatView


class SlashActions:
    """Of the chat screen."""

    def __init__(
        self,
        screen: Screen[Any],
        view: ChatView,
        backend: ChatBackend,
        conversations: Conversations,
        generation: GenerationSettings,
        actions: MessageActions,
    ) -> None:
        self._screen, self._view, self._backend = screen, view, backend
        self._conversations, self._generation = conversations, generation
        self._parts: dict[str, Callable[[], object]] = {
            "help": partial(screen.run_action, "app.open_screen('help')"),
            "new": conversations.begin,
            "thinking": generation.toggle_thinking,
            "attach": view.composer.ask_for_file,
            "regenerate": actions.regenerate,
            "continue": actions.go_on,
            "export": conversations.export,
            "copy": actions.copy_reply,
            "editor": view.composer.open_editor,
            "quit": partial(screen.run_action, "app.quit"),
        }

    async def run(self, given: CommandGiven) -> None:
        if given.name == "model":
            await self._switch_model(given.rest)
        elif given.name == "system":
            self._set_system_prompt(given.rest)
        elif given.name in self._parts:
            done = self._parts[given.name]()
            if isinstance(done, Awaitable):
                await done
        else:
            self._refuse(given)

    async def _switch_model(self, name: str) -> None:
        if name:
            await self._conversations.switch_model(name)
        else:
            await self._screen.run_action("app.open_screen('switch')")

    def _set_system_prompt(self, text: str) -> None:
        if not text:
            self._generation.edit()
            return
        self._generation.hold(replace(self._backend.conversation.settings, system_prompt=text))
        self._view.notify("The system prompt holds from the next reply on.", timeout=3)

    def _refuse(self, given: CommandGiven) -> None:
        """The words go back to the prompt, where a space before the slash makes a message of them."""
        words = f"/{given.name} {given.rest}".strip()
        self._view.composer.prompt.show(words)
        known = ", ".join(f"/{each.partition(' ')[0]}" for each in HELP)
        self._view.notify(
            f"There is no command /{given.name}. There are {known}. To send it as a message, put another word first.",
            severity="warning",
            timeout=10,
        )
