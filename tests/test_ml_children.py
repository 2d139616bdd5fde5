"""Processes that read files from elsewhere, and where they run."""

from classifier.ml.children import ask_child


def test_a_child_runs_in_an_empty_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere.py").write_text("import os\nprint(os.listdir())")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ask_child("elsewhere", seconds=60) == "[]\n"
