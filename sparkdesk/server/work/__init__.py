"""From a request in our own words to the events of its reply: the queue, the engine, the figures."""
