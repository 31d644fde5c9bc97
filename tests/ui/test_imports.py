"""No module of the screen or of its backends needs another that needs it, also not for the names of types alone."""

import grimp
import pytest

GRAPH = grimp.build_graph("sparkdesk")
MODULES = sorted(GRAPH.find_descendants("sparkdesk.ui") | GRAPH.find_descendants("sparkdesk.backend"))


@pytest.mark.parametrize("module", MODULES)
def test_no_import_leads_back(module: str) -> None:
    for imported in GRAPH.find_modules_directly_imported_by(module):
        chain = GRAPH.find_shortest_chain(imported, module)
        assert chain is None, " -> ".join((module, *chain))
