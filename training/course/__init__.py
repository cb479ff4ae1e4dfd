"""The course's experiments as data, run one after another, gathered on one page.

plan.py    course.toml -> Experiment(letter, title, look, steps)
run.py     experiments + a folder -> records, each step a process of its own
page.py    records -> course.html, which opens from disk and needs nothing else
"""
