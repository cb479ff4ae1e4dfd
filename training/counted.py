"""Numbers with their nouns, as messages and tables say them."""


def counted(n: int, noun: str, many: str = "") -> str:
    """``1 epoch``, ``2,000 epochs``; ``many`` where the plural takes more than an s."""
    return f"{n:,} {noun if n == 1 else many or noun + 's'}"
