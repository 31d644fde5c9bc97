"""How many tokens to draft and to verify: what steps cost, what drafts are worth, and when to leave it.

tuner.py is what the loop talks to; all of the room is arithmetic over figures it is told.
"""
