"""Films as text, as figures and as a page: what is drawn is what was recorded."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars
import pytest
import torch
from browser import Visit, chromium
from rich.console import Console

from clearhead.analysis.comparison import compare
from clearhead.analysis.film import Film, open_film
from clearhead.cli.app import main
from clearhead.errors import InputError, UnknownLayerError
from clearhead.training import Recording, Settings, train
from clearhead.training.conllu import Sentence
from clearhead.training.language import Language
from clearhead.training.lemmas import Lemmas
from clearhead.views.film import curves, head_film, render, series, sparks

TEXT = "the animal didn't cross the street because it was too tired. " * 23


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    task = Language(TEXT, context=13, layers=2, heads=3, dim=24)
    texts = ("the animal didn't", "too tired")
    settings = Settings(steps=6, batch=6, learning_rate=0.1, evaluate_every=6)
    train(task, folder, settings, recording=Recording(every=2, texts=texts))
    return folder


@pytest.fixture(scope="module")
def film(run: Path) -> Film:
    return open_film(run)


def text_of(film: Film, shown: Film | None = None, width: int = 100) -> str:
    changes = compare(film.at(0), film.at(6))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render(shown or film, changes.most_changed(2)))
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def test_the_heads_that_changed_most_are_listed(film: Film) -> None:
    most = compare(film.at(0), film.at(6)).most_changed(2)
    lines = text_of(film).splitlines()
    assert lines[0].startswith("4 recordings, from step 0 to step 6")
    for line, change in zip(lines[2:4], most, strict=True):
        assert line.split()[:2] == [change.head, f"{change.divergence:.3f}"]
        before, after = change.entropy
        values = series(film)[change.head]["entropy"]
        assert f"{values[0]:.2f} → {values[-1]:.2f}" in line
        assert (before - after) * (values[0] - values[-1]) > 0
    alone = Film(film.folder, (0,))
    assert "One recording, of step 0: nothing has changed yet" in text_of(film, alone)
    assert sparks([0.0] * 3, 0.0, 0.0) == "▁▁▁"
    assert len(sparks([float(n) for n in range(97)], 0.0, 96.0)) == 8


def test_curves_have_a_line_for_each_head(film: Film) -> None:
    axes = curves(film).axes
    assert [ax.get_title() for ax in axes[:2]] == ["L0", "L1"]
    assert [ax.get_ylabel() for ax in axes[::2]] == ["entropy (nats)", "distance (tokens)", "on the first token"]
    of_all = series(film)
    for row, name in enumerate(("entropy", "distance", "first")):
        for layer in range(2):
            for number, line in enumerate(axes[2 * row + layer].get_lines()):
                assert list(line.get_xdata()) == [0, 2, 4, 6]
                assert list(line.get_ydata()) == of_all[f"L{layer}H{number}"][name]


def test_no_curve_leaves_its_panel(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    """One scale serves all layers, also where the first one hardly changes."""
    flat = film.statistics().with_columns(
        first=polars.when(polars.col("layer") == 0).then(0.05).otherwise(polars.col("first"))
    )
    monkeypatch.setattr(Film, "statistics", lambda _: flat)
    for axes in curves(film).axes:
        low, high = axes.get_ylim()
        assert all(low <= value <= high for line in axes.get_lines() for value in line.get_ydata())


def test_a_head_is_drawn_at_its_steps(film: Film) -> None:
    whole = film.capture()
    drawn = head_film(film, whole, "l1h2", text=1)
    maps = [ax for ax in drawn.axes if ax.images]
    assert [ax.get_title() for ax in maps] == ["step 0", "step 2", "step 4", "step 6"]
    length = len("too tired")
    for axes, step in zip(maps, film.steps, strict=True):
        wanted = film.at(step)["h.1.attn"].dense()[1, 2, :length, :length]  # without the padding
        torch.testing.assert_close(torch.tensor(axes.images[0].get_array()), wanted.float())
    assert len({axes.images[0].get_clim() for axes in maps}) == 1
    lines = drawn.axes[0].get_lines()
    assert any(list(line.get_ydata()) == series(film)["L1H2"]["entropy"] and line.get_linewidth() > 1 for line in lines)
    with pytest.raises(InputError, match="text"):
        head_film(film, whole, "L1H2", text=2)
    with pytest.raises(UnknownLayerError, match="no head 3"):
        head_film(film, whole, "L1H3")


def test_the_command_writes_pictures_and_json(
    run: Path, film: Film, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["film", str(run), "--figure", str(tmp_path / "all.png"), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["steps"] == [0, 2, 4, 6]
    assert {head["head"]: head["first"] for head in found["heads"]} == {
        name: own["first"] for name, own in series(film).items()
    }
    main(["film", str(run / "film"), "--head", "L0H1", "--figure", str(tmp_path / "one.svg")])
    assert "recordings" in capsys.readouterr().out
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert (
        "L0H1" in (tmp_path / "one.svg").read_text(encoding="utf-8") or (tmp_path / "one.svg").stat().st_size > 10_000
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "has no film"),
        (["RUN", "--head", "L7H0"], "no layer 7"),
        (["RUN", "--head", "L0H0@1"], "at all steps"),
        (["RUN", "--head", "L0H0", "--text", "9", "--figure", "out.png"], "there is no text 9"),
        (["RUN", "--text", "1"], "add --head and --figure"),
        (["RUN", "--text", "0", "--figure", "out.png"], "add --head and --figure"),
        (["RUN", "--figure", "out.gif"], "gif"),
        (["RUN", "--html", "out.txt"], "html"),
    ],
)
def test_errors_are_one_line(
    run: Path, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["film", *(str(run) if x == "RUN" else x for x in arguments)])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not list(tmp_path.iterdir())


def test_other_texts_are_no_film(film: Film, tmp_path: Path) -> None:
    for step in film.steps:
        film.at(step).save(tmp_path / f"{step:06}.safetensors")
    other = film.at(2)
    other.tokens = list(reversed(other.tokens or []))
    other.save(tmp_path / "000002.safetensors")
    with pytest.raises(InputError, match=r"step 2 of .* shows other texts"):
        open_film(tmp_path).capture()


def test_the_page_has_a_slider_of_training_steps(run: Path, film: Film, tmp_path: Path) -> None:
    path = tmp_path / "film.html"
    main(["film", str(run), "--head", "L1H2", "--pieces", "--html", str(path)])
    maps = film.at(0)["h.1.attn"], film.at(6)["h.1.attn"]
    with chromium() as browser:
        seen = Visit(browser, path.as_uri() + "#h=1.2&q=2&k=1")
        seen.settle()
        seen.page.get_by_text("training step 0 (1 of 4)").wait_for()
        seen.page.locator(".inspector strong", has_text=f"{float(maps[0][0, 2, 2, 1]):.3f}").wait_for()
        slider = seen.page.get_by_role("slider")
        slider.focus()
        seen.page.keyboard.press("End")
        seen.page.get_by_text("training step 6 (4 of 4)").wait_for()
        seen.settle()
        # The same two words, at the last step.
        seen.page.locator(".inspector strong", has_text=f"{float(maps[1][0, 2, 2, 1]):.3f}").wait_for()
        # And the heads of that step alone, each once.
        listed = seen.page.locator(".inspector .bars").last.locator(".label").all_inner_texts()
        assert sorted(listed) == [f"L{layer}H{head}" for layer in range(2) for head in range(3)]
        seen.close()


def test_cross_attention_is_drawn_by_letter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [Sentence((f"saw{n}", "a"), ("VERB", "DET"), (f"see{n}", "a"), n) for n in range(20)]
    task = Lemmas(words[:15], words[15:])
    settings = Settings(steps=2, batch=4, learning_rate=1e-3, evaluate_every=2)
    run = train(task, tmp_path / "run", settings, recording=Recording(every=2, texts=("saws VERB see",)))
    main(["film", str(run.folder), "--head", "L3H1", "--figure", str(tmp_path / "cross.png")])
    printed = capsys.readouterr().out
    assert " cross\n" in printed
    assert "…" not in printed  # in 80 columns
    assert " – " in printed
    main(["film", str(run.folder), "--head", "L3H1", "--json"])
    [head] = json.loads(capsys.readouterr().out)["heads"]
    assert (head["head"], head["distance"]) == ("L3H1", [None, None])
    main(["film", str(run.folder), "--top", "24"])
    assert [line.split()[-1] for line in sorted(capsys.readouterr().out.splitlines()) if line.startswith("L0H")] == [
        "encoder"
    ] * 4
    film = open_film(run.folder)
    # Between two texts there is no distance.
    of_all = series(film)
    assert {head for head, own in of_all.items() if None in own["distance"]} == {
        f"L{layer}H{number}" for layer in (3, 5) for number in range(4)
    }
    said = [[text.get_text() for text in ax.texts] for ax in curves(film).axes]
    assert said == [["none: keys are those\nof another text"] if n in (6 + 3, 6 + 5) else [] for n in range(24)]
    drawn = head_film(film, film.capture(), "L3H1")
    assert [ax.get_title() for ax in drawn.axes[:3]] == [
        "entropy (nats)",
        "on the first token",
        "on special tokens",
    ]
    maps = [ax for ax in drawn.axes if ax.images]
    assert [x.get_text() for x in maps[0].get_yticklabels()] == ["<pad>", "s", "e", "e"]
    assert [x.get_text() for x in maps[0].get_xticklabels()] == ["<VERB>", "s", "a", "w", "s", "</s>"]
