"""HTTP: who may ask, what path does what, how replies are sent."""
