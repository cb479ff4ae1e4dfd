"""The checks, from the root to the leaf: each takes (Record, Figures) and gives findings."""
