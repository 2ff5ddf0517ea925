import pytest

from nnjax import cli


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Runs the command in an empty folder: its exit code, and what it wrote to stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        code = cli.main(argv)
        return code, *capsys.readouterr()

    return run
