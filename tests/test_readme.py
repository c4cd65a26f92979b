"""What the README tells people to type works as it stands."""

import json
import re
import shlex
from pathlib import Path

import pytest

from analognet import process
from analognet.cli.app import run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that looks like the repository's root, to write build/ into."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shell_commands(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line]
    assert ["sh", "demo.sh"] in commands
    assert (ROOT / "demo.sh").is_file()
    assert (ROOT / "test.sh").is_file()
    ran = 0
    for words in commands:
        if words[0] == "analognet":
            assert run(words[1:]) == 0, words
            out = capsys.readouterr().out
            if "--json" in words:
                assert json.loads(out)["schema"] == 1
            ran += 1
        elif words[0] == "ngspice":
            done = process.run(
                [process.find_tool("ngspice"), *words[1:-1], checkout / words[-1]], cwd=checkout, timeout_s=60
            )
            assert done.returncode == 0
            assert "v(y9) =" in done.stdout
            ran += 1
    assert ran >= 3


def test_python_example(checkout: Path) -> None:
    (source,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), names)
    assert names["y"].shape == (5, 10)  # type: ignore[attr-defined]


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
