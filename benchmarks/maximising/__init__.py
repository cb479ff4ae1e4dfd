"""What ``benchmarks/maximisation.py`` is made of: a referee, rivals, what is natural, the marks."""
