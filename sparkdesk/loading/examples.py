"""Prompts the empty screen offers: what the bundled pair was trained to do, and what any chat model can."""

DEMO_EXAMPLES = (
    "Count from 1 to 40.",
    "Write a Python function that adds 7 to a number.",
    "Tell me a little story.",
)

GENERAL_EXAMPLES = (
    "Write a Python function that merges two sorted lists.",
    "Explain speculative decoding in three sentences.",
    "List the planets with one fact about each.",
)
