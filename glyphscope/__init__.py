"""The library: networks as data, checkpoints, preprocessing, prediction, activations, pictures.

``from glyphscope import checkpoint, store, preprocess, predict, activations, visualise`` is
all that a notebook needs; nothing here knows HTTP or a trainer.
"""
