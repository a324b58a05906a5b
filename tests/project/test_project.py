"""The project's own rules that no linter knows."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "clearhead").rglob("*.py"))


def test_private_operators_live_in_their_three_files() -> None:
    allowed = {"mechanisms/fused.py", "models/stepping.py", "capture/intercept.py"}
    pattern = re.compile(r"torch\.ops\.|torch\._C|torch\._(?!_)\w+\(|_scaled_dot_product")
    for path in SOURCES:
        name = path.relative_to(ROOT / "src" / "clearhead").as_posix()
        if name in allowed:
            continue
        code = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if "``" not in line)
        assert not pattern.search(code), name


def test_nothing_is_pickled() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "cloudpickle", "dill", "joblib"} & set(names), path
            if isinstance(node, ast.Attribute):
                assert not (node.attr == "save" and ast.unparse(node.value) == "torch"), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path


def test_every_dependency_is_pinned_for_the_two_commands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(x for extra in project["optional-dependencies"].values() for x in extra)]
    names = {re.split(r"[<>=\[]", x)[0].lower() for x in wanted} - {"clearhead"}
    pinned = {
        line.split("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    assert names <= pinned, names - pinned


def test_documents_agree_on_the_version() -> None:
    import clearhead

    assert f"## {clearhead.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_design_lists_every_package() -> None:
    design = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    for folder in (ROOT / "src" / "clearhead").iterdir():
        if folder.is_dir() and (folder / "__init__.py").exists():
            assert f"  {folder.name}/" in design, folder.name
