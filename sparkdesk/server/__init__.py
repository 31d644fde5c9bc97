"""The pair behind an OpenAI-compatible API. Only `sparkdesk serve` imports it; starlette and uvicorn live here."""
