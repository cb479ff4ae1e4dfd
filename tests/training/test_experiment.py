from pathlib import Path

import torch

from training import experiment
from training.recipe import load


def test_training_on_fewer_images_keeps_the_validation_images(data_root: Path) -> None:
    whole = load("mnist-linear", ["split.validation=100"])
    less = load("mnist-linear", ["split.validation=100", "split.train=200"])
    train, validation = experiment.splits(whole, data_root)
    few, same = experiment.splits(less, data_root)
    assert (len(train), len(few)) == (500, 200)
    assert torch.equal(validation.images, same.images)
    known = {image.numpy().tobytes() for image in train.images}
    assert all(image.numpy().tobytes() in known for image in few.images)
    counts = torch.bincount(few.labels, minlength=10)
    assert counts.min() >= 19  # every class its share
    assert counts.max() <= 21


def test_asking_for_more_images_than_there_are_takes_them_all(data_root: Path) -> None:
    how = load("mnist-linear", ["split.validation=100", "split.train=99999"])
    assert len(experiment.splits(how, data_root)[0]) == 500
