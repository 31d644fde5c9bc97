"""Journey over journeys: a pair from its sources to files that run together."""
