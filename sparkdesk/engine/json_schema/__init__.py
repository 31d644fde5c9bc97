"""JSON Schema as a grammar that allows only what the schema does: what it cannot keep to, it refuses by name.

A grammar may allow less than the schema (objects get no undeclared properties unless the schema asks for them, tuples
are written whole), never more. Pure: knows neither models nor llama.cpp.
"""

from sparkdesk.engine.json_schema.compiler import MOST_SCHEMA_CHARACTERS, CompiledSchema, compile_schema

__all__ = ["MOST_SCHEMA_CHARACTERS", "CompiledSchema", "compile_schema"]
