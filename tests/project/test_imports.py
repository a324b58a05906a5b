"""What importing the package costs, and that its public names are what they claim."""

import subprocess
import sys

import pytest

import clearhead


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running ``code``."""
    script = f"import sys\n{code}\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


HEAVY = {"torch", "transformers", "numpy", "matplotlib", "rich", "typer", "safetensors", "tokenizers"}


def test_importing_loads_neither_torch_nor_transformers() -> None:
    assert not loaded_after("import clearhead; clearhead.__version__") & HEAVY


def test_the_check_itself_would_notice() -> None:
    assert loaded_after("import clearhead; clearhead.AttentionMap") & HEAVY >= {"torch"}


def test_watching_loads_no_transformers() -> None:
    code = "import clearhead, torch; clearhead.watch(torch.nn.MultiheadAttention(4, 2)); clearhead.open; clearhead.look"
    assert not loaded_after(code) & {"transformers", "matplotlib"}


def test_the_command_line_loads_torch_only_when_it_works() -> None:
    assert not loaded_after("import clearhead.cli.app") & {"torch", "transformers", "matplotlib"}


def test_every_public_name_resolves() -> None:
    for name in clearhead.__all__:
        assert getattr(clearhead, name) is not None
    assert set(clearhead.__all__) <= set(dir(clearhead))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        clearhead.nothing  # noqa: B018  # the access is the test
