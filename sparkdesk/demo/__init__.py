"""Spark Tiny, the bundled pair: its checkpoints, its card, and the code that trains and judges it."""
