"""The pairs we know, and those the user added: where a target and its draft come from. Knows neither hub nor disk."""

from sparkdesk.catalog.entry import COMMUNITY, RELEASED, GgufSource, PairEntry
from sparkdesk.catalog.reading import Catalog, read_catalog

__all__ = ["COMMUNITY", "RELEASED", "Catalog", "GgufSource", "PairEntry", "read_catalog"]
