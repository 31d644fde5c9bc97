"""What may change while a reply is being made: whether to speculate, and whether to go on."""

from sparkdesk.engine.settings import SpeculationSettings


class Control:
    """Read by the loop once a round, written from any thread: each attribute is replaced whole."""

    def __init__(self, speculation: SpeculationSettings) -> None:
        self.speculation = speculation
        self.is_cancelled = False
