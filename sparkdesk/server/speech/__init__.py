"""What a model writes, told apart: characters, stop strings, thoughts, calls. Pure; knows no HTTP and no engine."""
