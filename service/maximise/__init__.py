"""Maximisations as jobs: ordered and read by the server, drawn by a worker process beside it."""
