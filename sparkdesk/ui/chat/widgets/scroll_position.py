"""Where in a conversation one is, while that is not its end."""

from textual.widgets import Static

from sparkdesk.ui.chat.messages import NewestWanted, PlaceChanged
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers


class ScrollPosition(Static):
    def tell(self, place: PlaceChanged) -> None:
        self.display = not place.is_at_end
        if place.is_at_end:
            return
        earlier = f"↑ {numbers.grouped(place.earlier)} earlier message{'s' * (place.earlier != 1)}"
        parts = (
            earlier if place.earlier else "",
            f"↓ {numbers.grouped(place.later)} later" if place.later else "↓ more of this message",
            f"{key_name(self, 'chat.newest')} goes to the newest",
        )
        self.update(" · ".join(part for part in parts if part))

    def on_click(self) -> None:
        self.post_message(NewestWanted())
