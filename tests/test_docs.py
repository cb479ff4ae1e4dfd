"""What the documents promise exists: commands, options, make targets, files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from clients.cli import app as client_app
from service.cli import app as service_app
from training import data, recipe
from training.cli import app as training_app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {
    "glyphscope": client_app,
    "glyphscope-train": training_app,
    "glyphscope-serve": service_app,
}


def shell_lines() -> Iterator[str]:
    for path in DOCUMENTS:
        text = path.read_text()
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        inline = re.findall(r"`((?:glyphscope|make)[^`]*)`", text)
        for block in blocks:
            yield from block.replace("\\\n", " ").splitlines()
        yield from inline


COMMANDS = sorted({line.split("  #")[0].strip() for line in shell_lines()})


@pytest.mark.parametrize(
    "line", [c for c in COMMANDS if re.match(r"(glyphscope|glyphscope-train) [a-z]+ \S", c)]
)
def test_commands_in_the_documents_are_understood(line: str) -> None:
    program, *words = shlex.split(line)
    group = typer.main.get_command(PROGRAMS[program])
    assert isinstance(group, TyperGroup)
    with typer.Context(group) as above:
        name, command, arguments = group.resolve_command(above, words)
    assert command is not None
    with command.make_context(name, arguments) as context:
        assert context.params


@pytest.mark.parametrize("line", [c for c in COMMANDS if re.match(r"make [a-z]", c)])
def test_make_targets_exist(line: str) -> None:
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_decisions_are_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}


def test_the_guide_names_every_data_set_and_recipe() -> None:
    guide = (ROOT / "docs/training.md").read_text()
    for name in [*recipe.shipped(), *(n.removeprefix("emnist-") for n in data.SOURCES)]:
        assert name in guide
