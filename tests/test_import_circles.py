"""No module imports another one that needs it: each can be read, and imported, on its own."""

import grimp


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("sparkdesk", "converters")
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while True:  # what imports nothing that is left cannot be part of a circle
        leaves = [module for module, needs in imports.items() if not needs & imports.keys()]
        if not leaves:
            break
        for module in leaves:
            del imports[module]
    assert not imports
