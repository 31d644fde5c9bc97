"""From a name or files to a pair that is loaded, and to the proof that it works."""
