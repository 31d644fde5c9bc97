"""The corpus Spark Tiny learns from: dialogues made by seeded generators, no downloaded text."""
