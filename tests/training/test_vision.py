"""In a process of its own: an import of torchvision cannot be taken back."""

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_data_sets_and_transforms_load_beside_this_torch() -> None:
    code = (
        "from training import vision;"
        "print(vision.module('datasets').MNIST.__name__);"
        "print(vision.module('transforms.v2').Compose.__name__)"
    )
    assert run(code) == "MNIST\nCompose"


def test_nothing_but_a_download_loads_torchvision() -> None:
    code = (
        "import sys; from training import cli;"
        "print([cli.command(name).name for name in cli.COMMANDS][0]);"
        "print('torchvision' in sys.modules)"
    )
    assert run(code) == "data\nFalse"
