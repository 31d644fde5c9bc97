"""The desk that the screen is given, put together from the rooms below. Knows no screen."""
