"""What the tasks of ``clearhead train`` reach on their real data, and write docs/learning.md.

    python benchmarks/learning.py DATA                # about an hour on 2 cores; finished runs are kept
    python benchmarks/learning.py DATA --only digits  # one task; the page is written from all runs that there are

DATA is a folder with ``ud-ewt/`` (the English Web Treebank, github.com/UniversalDependencies/UD_English-EWT) and
``tinyshakespeare/input.txt`` (github.com/karpathy/char-rnn). Runs are kept under ``--out`` and are not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clearhead.files import write_whole
from clearhead.models.files import DEFAULT_MODEL
from clearhead.training import Recording, Task, open_run, train
from clearhead.training.conllu import read_treebank
from clearhead.training.digits import Digits, handwritten_digits
from clearhead.training.language import Language
from clearhead.training.lemmas import Lemmas
from clearhead.training.tagging import Tagging, tag
from run import hardware

PAGE = Path(__file__).resolve().parent.parent / "docs" / "learning.md"
SENTENCE = ["I", "saw", "a", "saw"]
TAGS = ["PRON", "VERB", "DET", "NOUN"]
EWT, STANZA, SPACY, NANOGPT = (
    "UD English EWT",
    "Stanza, from raw text (Qi et al. 2020, arXiv:2003.07082, table 2)",
    "spaCy with a Transformer (model card of explosion/en_udv25_englishewt_trf, UD 2.5)",
    "nanoGPT, this setting (README of github.com/karpathy/nanoGPT)",
)


_INTRODUCTION = (
    "Written by `benchmarks/learning.py`; do not edit. Each task of `clearhead train` on its real data, with its own "
    "settings, films included. The measure is that of the checkpoint that is best on the validation set, and taken on "
    "the test set where there is one. Time is that of the whole training on this machine, which other work shared.\n"
)


@dataclass(frozen=True)
class Case:
    """A training, some times."""

    title: str
    make: Callable[[Path], Task]
    measure: str
    """Which one the target is of."""
    target: float
    what: str
    seeds: int = 3
    settings: dict[str, Any] | None = None
    published: tuple[tuple[str, float], ...] = ()
    is_loss: bool = False


def _language(**sizes: Any) -> Callable[[Path], Task]:
    return lambda data: Language((data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8"), **sizes)


def _tagging(start: str | None) -> Callable[[Path], Task]:
    def make(data: Path) -> Task:
        train, validation, test = read_treebank(data / "ud-ewt")
        return Tagging(train, validation, held_out=test, start=start)

    return make


def _lemmas(data: Path) -> Task:
    train, validation, test = read_treebank(data / "ud-ewt")
    return Lemmas(train, validation, held_out=test)


_TAGGERS = ((STANZA, 0.9540), (SPACY, 0.9694))
CASES = {
    "tag-minilm": Case(
        "Tags, MiniLM fine-tuned", _tagging(DEFAULT_MODEL), "accuracy", 0.955, f"{EWT}, UPOS", published=_TAGGERS
    ),
    "tag-new": Case("Tags, new weights", _tagging(None), "accuracy", 0.90, f"{EWT}, UPOS", published=_TAGGERS),
    "lemma": Case(
        "Lemmas, new weights", _lemmas, "accuracy", 0.95, f"{EWT}, lemmas, given the tag",
        published=((STANZA, 0.9721), (SPACY, 0.9736)),
    ),
    "text": Case(
        "Characters of Shakespeare", _language(), "loss", 1.88, "4 layers, 4 heads, width 128, context 64, 12 × 2,000",
        published=((NANOGPT, 1.88),), is_loss=True,
    ),
    "text-long": Case(
        "Characters of Shakespeare, ten minutes", _language(context=128, layers=6, heads=6, dim=192), "loss", 1.88,
        "6 layers, 6 heads, width 192, context 128, 16 × 1,800", seeds=1, is_loss=True,
        settings={"steps": 1800, "batch": 16, "learning_rate": 3e-3, "evaluate_every": 600},
    ),
    "digits": Case(
        "Digits", lambda _: Digits(*handwritten_digits()), "accuracy", 0.97, "scikit-learn's, a fifth held out"
    ),
}  # fmt: skip


def main() -> int:
    """Train what is not trained yet, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--out", type=Path, default=Path("runs") / "learning")
    given = parser.parse_args()
    for seed in range(max(case.seeds for case in CASES.values())):  # one of each first
        for name in given.only or CASES:
            if seed < CASES[name].seeds:
                result = _result(CASES[name], given.data, given.out / f"{name}-{seed}", seed)
                sys.stdout.write(f"{name}, seed {seed}: {json.dumps(result)}\n")
                sys.stdout.flush()
    text = page(given.out)
    write_whole(PAGE, lambda part: Path(part).write_text(text, encoding="utf-8"))
    sys.stdout.write(f"Wrote {PAGE.name}.\n")
    return 0


def _result(case: Case, data: Path, folder: Path, seed: int) -> dict[str, Any]:
    """The measures of one run, trained now or before."""
    known = folder / "result.json"
    if known.is_file():
        found: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
        return found
    task = case.make(data)
    settings = replace(task.defaults, **(case.settings or {}), seed=seed)
    shutil.rmtree(folder, ignore_errors=True)  # what was interrupted: a training is timed as a whole
    begun = time.perf_counter()
    run = train(task, folder, settings, recording=Recording())
    seconds = time.perf_counter() - begun
    last = task.sets[-1]
    found = {
        "set": last,
        "measures": dict(run.test or run.measures),
        "baselines": task.baselines(last),
        "left_out": task.left_out,
        "seconds": seconds,
        "date": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        "weights": sum(x.numel() for x in run.model().parameters()),
    }
    if task.name == "tag":
        found["saw"] = tag(open_run(folder).model(), [SENTENCE])[0]
    write_whole(known, lambda part: Path(part).write_text(json.dumps(found, indent=2), encoding="utf-8"))
    return found


def page(out: Path) -> str:
    """docs/learning.md, of the runs that are finished."""
    lines = [
        "# What is learnt\n",
        _INTRODUCTION,
        "| task | data | measure | target | found, seed by seed | mean | time | weights |",
        "|---|---|---|---|---|---|---|---|",
    ]
    notes, days = [], set()
    for name, case in CASES.items():
        found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"{name}-[0-9]/result.json"))]
        if not found:
            continue
        values = [x["measures"][case.measure] for x in found]
        shown = [_shown(value, case) for value in values]
        met = all((value <= case.target) if case.is_loss else (value >= case.target) for value in values)
        sign = "≤" if case.is_loss else "≥"
        times = sorted({f"{x['seconds'] / 60:.1f}" for x in found}, key=float)
        minutes = " to ".join([times[0], *times[1:][-1:]]) + " min"
        lines.append(
            f"| {case.title} | {case.what} | {case.measure}, {found[0]['set']} | {sign} {_shown(case.target, case)}: "
            f"{'met' if met else 'missed'} | {', '.join(shown)} | {_shown(statistics.mean(values), case)} | "
            f"{minutes} | {found[0]['weights']:,} |"
        )
        notes.append(f"\n**{case.title}.** " + " ".join(_note(case, found)))
        days |= {x["date"] for x in found}
    machine = {name: value for name, value in hardware().items() if name != "load at the start"}
    machine["date"] = " to ".join(sorted({min(days), max(days)}))
    return "\n".join([*lines, *notes, "", "; ".join(f"{name}: {value}" for name, value in machine.items()) + ".", ""])


def _note(case: Case, found: list[dict[str, Any]]) -> list[str]:
    baselines = {name: measures[case.measure] for name, measures in found[0]["baselines"].items()}
    said = [f"Baselines: {', '.join(f'{name} {_shown(value, case)}' for name, value in baselines.items())}."]
    said += [f"{who}: {_shown(value, case)}." for who, value in case.published]
    rest = {name: value for name, value in found[0]["measures"].items() if name != case.measure}
    said += [f"{name.replace('_', '-')} (seed 0): {value:.4f}." for name, value in rest.items()]
    if found[0]["left_out"]:
        said.append(f"{found[0]['left_out']} training sentences are also in the other sets, and are left out.")
    if "saw" in found[0]:
        right = sum(x["saw"] == TAGS for x in found)
        said.append(f"“I saw a saw” is PRON VERB DET NOUN for {right} of {len(found)} seeds.")
    return said


def _shown(value: float, case: Case) -> str:
    return f"{value:.3f}" if case.is_loss else f"{value:.2%}"


if __name__ == "__main__":
    raise SystemExit(main())
