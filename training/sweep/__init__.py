"""A sweep: one recipe trained over a grid of factors, each setting several times.

plan.py      factors and recipe -> the cells to train
cell.py      one cell, trained to the end or to its failure
engine.py    how cells are spread: in this process, over worker processes
ray_tune.py  or over a Ray cluster
results.py   what came out: results.json and results.csv, mean and standard deviation
plot.py      and its picture
folder.py    the folder that all of it lives in, and by which a sweep goes on
"""
