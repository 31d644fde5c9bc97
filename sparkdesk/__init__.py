"""SparkDesk: a terminal desk for local models with DSpark speculative decoding."""

__version__ = "0.1.0"
