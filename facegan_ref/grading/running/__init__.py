"""A whole class as jobs: what has to be done, by which processes, and what came of it."""
