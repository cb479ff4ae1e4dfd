"""A static microscope of one checkpoint: gather -> one HTML file that opens from disk."""
