"""From pixels to scores: networks in memory, what runs them, and in which batches."""
