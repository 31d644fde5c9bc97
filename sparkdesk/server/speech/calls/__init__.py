"""Function calls in the text of a reply: one file per format, and one that finds them."""
