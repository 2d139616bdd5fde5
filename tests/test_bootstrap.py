"""scripts/bootstrap, with small shell scripts in the place of Python, pip and uv."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

TOOLS = "/usr/bin:/bin"


class Tree:
    """A project's folder with the script and a list of requirements in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        (folder / "scripts").mkdir()
        (folder / "requirements").mkdir()
        (folder / "bin").mkdir()
        (folder / "requirements.txt").write_text("-r requirements/worker.txt\n")
        (folder / "requirements" / "worker.txt").write_text("django==5.2\n")
        shutil.copy(settings.BASE_DIR / "scripts" / "bootstrap", folder / "scripts")

    def program(self, path: str, code: str) -> None:
        """A shell script that notes how it was called, then does as `code` says."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\necho "{file.name} $*" >>{self.calls}\n{code}\n')
        file.chmod(0o755)

    def with_venv(self, pip: str = "exit 0", uv: str = "exit 0") -> "Tree":
        """An environment that is there already, whose `-m pip install` and uv do as told."""
        self.program(".venv/bin/python", f'case "$*" in *"pip install"*) {pip} ;; esac')
        self.program(".venv/bin/pip", "exit 0")
        self.program(".venv/bin/uv", uv)
        return self

    def bootstrap(self, **env: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{TOOLS}"
        return subprocess.run(
            ["scripts/bootstrap", "run"],
            cwd=self.folder,
            env={"PATH": path, **env},
            capture_output=True,
            text=True,
        )

    def installs(self) -> list[str]:
        """Which programs were told to install the list."""
        lines = self.calls.read_text().splitlines()
        return [line.split()[0] for line in lines if "-r requirements.txt" in line]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def only_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2, result
    [line] = result.stderr.splitlines()
    assert line.startswith("Sightline: ")
    return line


def test_the_list_is_installed_with_uv(tree: Tree) -> None:
    assert tree.with_venv().bootstrap().returncode == 0
    assert tree.installs() == ["uv"]


def test_nothing_is_installed_the_second_time(tree: Tree) -> None:
    tree.with_venv().bootstrap()
    result = tree.bootstrap()
    assert (result.returncode, result.stdout) == (0, "")
    assert tree.installs() == ["uv"]


def test_a_list_that_has_changed_is_installed_anew(tree: Tree) -> None:
    tree.with_venv().bootstrap()
    (tree.folder / "requirements" / "worker.txt").write_text("django==5.3\n")
    tree.bootstrap()
    assert tree.installs() == ["uv", "uv"]


def test_pip_takes_over_where_uv_fails(tree: Tree) -> None:
    assert tree.with_venv(uv="exit 1").bootstrap().returncode == 0
    assert tree.installs() == ["uv", "python"]


def test_uv_is_told_of_the_mirror_that_pip_knows(tree: Tree) -> None:
    tree.with_venv(uv=f'echo "$UV_DEFAULT_INDEX" >{tree.folder}/index')
    tree.bootstrap(PIP_INDEX_URL="https://mirror.example.org/simple")
    assert (tree.folder / "index").read_text() == "https://mirror.example.org/simple\n"


def test_a_failed_download_ends_in_one_line_that_names_the_log(tree: Tree) -> None:
    line = only_line(tree.with_venv(pip="echo no route >&2; exit 1", uv="exit 1").bootstrap())
    assert "is the package index within reach?" in line
    assert line.endswith("Details: .venv/install-run.log")
    assert "no route" in (tree.folder / ".venv" / "install-run.log").read_text()
    assert not (tree.folder / ".venv" / "installed-run").exists()


def test_a_missing_compiler_ends_in_one_line(tree: Tree) -> None:
    fails = "echo \"error: command 'gcc' failed: No such file\"; exit 1"
    line = only_line(tree.with_venv(pip=fails, uv="exit 1").bootstrap())
    assert "had to be compiled" in line


def test_a_python_that_is_too_old_or_too_new_ends_in_one_line(tree: Tree) -> None:
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        tree.program(f"bin/{name}", 'test "$1" = --version && echo Python 3.9.2 && exit 0; exit 1')
    line = only_line(tree.bootstrap())
    assert "Python 3.11, 3.12 or 3.13 is needed and Python 3.9.2 was found" in line


def test_a_python_can_be_named(tree: Tree) -> None:
    tree.program("mine", "exit 0")
    tree.bootstrap(PYTHON=str(tree.folder / "mine"))
    assert "mine -m venv .venv" in tree.calls.read_text()


def test_a_missing_venv_module_ends_in_one_line(tree: Tree) -> None:
    code = 'test "$2" = venv && echo "ensurepip is not available" && exit 1; exit 0'
    tree.program("bin/python3.12", code)
    assert "apt install python3-venv" in only_line(tree.bootstrap())
