"""Filming: it changes nothing, shows what is there, and goes on with the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars
import pytest
import tiny_models
import torch
import transformers
from safetensors.torch import load_file

import clearhead as ch
from clearhead.analysis.film import open_film
from clearhead.errors import InputError, UnknownLayerError
from clearhead.training import Recording, Settings, train
from clearhead.training.conllu import Sentence
from clearhead.training.digits import Digits, handwritten_digits
from clearhead.training.language import Language
from clearhead.training.lemmas import Form, Lemmas, spell
from clearhead.training.recorder import Recorder
from clearhead.training.run import open_run
from clearhead.training.tagging import Tagging

TEXT = "the animal didn't cross the street because it was too tired. " * 23
WORDS = (
    ("I", "PRON", "I"),
    ("saw", "VERB", "see"),
    ("a", "DET", "a"),
    ("saw", "NOUN", "saw"),
    ("sawing", "VERB", "saw"),
)


def language() -> Language:
    """With dropout: whatever draws random numbers besides would be noticed."""
    return Language(TEXT, context=13, layers=2, heads=2, dim=16, dropout=0.2)


def settings(**changes: Any) -> Settings:
    return Settings(**{"steps": 11, "batch": 6, "learning_rate": 1e-2, "evaluate_every": 4, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "filmed"
    train(language(), folder, settings(), recording=Recording(every=3, layers=(1,)))
    return folder


def test_recording_changes_no_weight(filmed: Path, tmp_path: Path) -> None:
    train(language(), tmp_path / "plain", settings())
    one, other = weights(filmed), weights(tmp_path / "plain")
    assert set(one) == set(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_film_has_the_first_and_the_last_step_and_those_between(filmed: Path) -> None:
    film = open_film(filmed)
    assert film.steps == (0, 3, 6, 9, 11)
    assert {layer.number for layer in film.at(3).layers} == {1}
    assert film.at(3).provenance["training_step"] == 3
    table = film.statistics()
    assert table.height == 5 * 2 * 2
    assert set(table["layer"]) == {0, 1}
    assert film.tags() is None
    first, last = (film.at(step)["h.1.attn"].dense() for step in (0, 11))
    assert not torch.allclose(first, last, atol=1e-3)
    with pytest.raises(InputError, match="step 4 was not recorded; there are 0, 3, 6, 9, 11"):
        film.at(4)


def test_the_last_step_is_that_of_the_training_and_not_the_best(tmp_path: Path) -> None:
    """Of weights that are the best at step 4 the trainer loads those, at the end."""
    task = language()
    losses = iter([1.0, 2.0, 3.0, 3.0])
    task.judge = lambda model, of="validation": {"loss": next(losses)}
    run = train(task, tmp_path / "run", settings(steps=8), recording=Recording(every=4))
    film = open_film(run.folder)
    assert film.steps == (0, 4, 8)
    best = ch.look(film.at(8).tokens[0].text, run.model())["h.1.attn"].dense()
    kept = {step: film.at(step)["h.1.attn"].dense()[:1] for step in film.steps}
    torch.testing.assert_close(best, kept[4], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(best, kept[8], atol=1e-3)


def test_a_training_that_stops_early_has_its_last_step(tmp_path: Path) -> None:
    task = language()
    losses = iter([1.0, 2.0, 3.0, 3.0])
    task.judge = lambda model, of="validation": {"loss": next(losses)}
    run = train(task, tmp_path / "run", settings(steps=50, patience=1), recording=Recording(every=5))
    assert open_film(run.folder).steps == (0, 5, 8)


class Stop(transformers.TrainerCallback):
    """As Ctrl-C does."""

    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step == 5:
            raise KeyboardInterrupt


def test_a_film_goes_on_with_its_training(filmed: Path, tmp_path: Path) -> None:
    folder, recording = tmp_path / "run", Recording(every=3, layers=(1,))
    with pytest.raises(KeyboardInterrupt):
        train(language(), folder, settings(), recording=recording, callbacks=[Stop()])
    assert open_film(folder).steps == (0, 3)
    train(language(), folder, settings(), resume=True, recording=recording)
    film = open_film(folder)
    assert film.steps == open_film(filmed).steps
    assert film.statistics().filter(step=9).equals(open_film(filmed).statistics().filter(step=9))
    (folder / "model" / "model.safetensors").unlink()  # killed at the end, before the measures were there
    (folder / "measures.json").unlink()
    (folder / "film" / "2025.parquet").touch()
    train(language(), folder, settings(), resume=True, recording=recording)
    assert open_film(folder).steps == film.steps
    assert (folder / "film" / "2025.parquet").exists()
    (folder / "run.json").unlink()
    with pytest.raises(InputError, match="has the film of another training"):
        train(language(), folder, settings(seed=1), recording=recording)
    assert not (folder / "run.json").exists()


def test_a_film_begins_once_more_with_a_run_that_has_no_checkpoint(filmed: Path, tmp_path: Path) -> None:
    folder, recording = tmp_path / "run", Recording(every=3, layers=(1,))
    early = settings(evaluate_every=6)
    with pytest.raises(KeyboardInterrupt):
        train(language(), folder, early, recording=recording, callbacks=[Stop()])
    assert open_run(folder).checkpoints() == []
    train(language(), folder, early, resume=True, recording=recording)
    assert open_film(folder).statistics().equals(open_film(filmed).statistics())


def sentences() -> list[Sentence]:
    """Each without one of the words, so that none is another."""
    found = []
    for n in range(30):
        words = [word for place, word in enumerate(WORDS) if place != n % 5]
        forms, tags, lemmas = zip(*words, (str(n), "NUM", str(n)), strict=True)
        found.append(Sentence(forms, tags, lemmas, n))
    return found


def test_tokens_have_the_tags_of_their_words(tmp_path: Path) -> None:
    task = Tagging(sentences()[:20], sentences()[20:])
    recording = Recording(every=2, texts=("I saw a saw.",))
    film = open_film(train(task, tmp_path / "run", settings(steps=2), recording=recording).folder)
    assert [text.text for text in film.at(0).tokens or ()] == ["I saw a saw."]
    tags = film.tags()
    assert tags is not None
    model = task.model(tmp_path / "again")
    probe = task.probe(model.eval())
    [[capture, of_tokens]] = probe.counted()
    assert of_tokens is not None
    assert capture.tokens is not None
    assert sum("a" in text.pieces for text in capture.tokens) > 5
    assert sum("I" in text.pieces for text in capture.tokens) > 5
    for text, own in zip(capture.tokens, of_tokens, strict=True):
        seen = dict(zip(text.pieces, own, strict=True))
        assert seen["[CLS]"] is seen["[SEP]"] is None
        for piece, tag in (("a", "DET"), ("I", "PRON")):
            assert piece not in seen or seen[piece] == tag
        assert all(own[n] == own[n - 1] for n, piece in enumerate(text.pieces) if piece.startswith("##"))
    first = tags.filter(step=0, head="L1H1", source="VERB")
    assert first["weight"].sum() < 1  # the rest is on special tokens
    assert set(first["target"]) == {"PRON", "VERB", "DET", "NOUN", "NUM"}


def test_of_a_sentence_that_is_too_long_the_beginning_is_shown(tmp_path: Path) -> None:
    ruler = Sentence(("no", "-" * 300), ("DET", "PUNCT"), ("no", "-"), 1)
    task = Tagging([*sentences(), ruler], [Sentence(("all", "-" * 300), ("DET", "PUNCT"), ("all", "-"), 1)])
    model = task.model(tmp_path / "start")
    shown = task.probe(model).shown()
    assert shown.provenance["truncated"]
    assert max(len(text) for text in shown.tokens or ()) == model.limit


def test_lemmas_are_filmed_with_their_cross_attention(tmp_path: Path) -> None:
    task = Lemmas(sentences()[:20], sentences()[20:])
    recording = Recording(every=2, texts=("saw VERB see", "sawing VERB saw"))
    run = train(task, tmp_path / "run", settings(steps=4), recording=recording)
    film = open_film(run.folder)
    whole = film.capture()
    cross = [layer for layer in whole.layers if "encoder_attn" in layer.path]
    assert [layer.call for layer in cross] == [0, 0, 1, 1, 2, 2]
    for layer in cross:
        rows, columns = whole.sides(layer)
        assert rows is not None
        assert columns is not None
        assert (rows.of, rows.first, columns.of, columns.first) == ("tokens", 0, "source_tokens", 0)
    assert whole.tokens is not None
    assert whole.source_tokens is not None
    assert [list(text.pieces) for text in whole.tokens] == [["<pad>", "s", "e", "e"], ["<pad>", "s", "a", "w"]]
    assert whole.source_tokens[0].pieces == ("<VERB>", "s", "a", "w", "</s>", "<pad>", "<pad>", "<pad>")
    # What a model writes by itself is what it is shown to write.
    model = run.model()
    alone = spell(model, [Form("saw", "VERB")])
    assert alone.tokens is not None
    again = spell(model, [Form("saw", "VERB")], [alone.tokens[0].text])
    torch.testing.assert_close(alone.layers[-1].map.dense(), again.layers[-1].map.dense())
    with pytest.raises(InputError, match="a word, its tag and its lemma"):
        task.probe(model, ["saw"])
    # What is longer than the model is cut, and what looks like a token is letters.
    long = spell(model, [Form("s" * 99, "VERB"), Form("a<pad>b", "VERB")], ["s" * 99, "a"])
    assert long.source_tokens is not None
    assert {len(text) for text in long.source_tokens} == {49}
    assert long.source_tokens[1].pieces[:8] == ("<VERB>", "a", "<", "p", "a", "d", ">", "b")


def test_digits_are_filmed_on_their_patches(tmp_path: Path) -> None:
    few, validation, _ = handwritten_digits()
    task = Digits(few, validation, patch=4)
    film = open_film(train(task, tmp_path / "run", settings(steps=2), recording=Recording(every=2)).folder)
    assert film.at(2).pictures is not None
    assert film.at(2).layers[0].shape == (10, 4, 5, 5)
    with pytest.raises(InputError, match="no text can be shown"):
        task.probe(task.model(tmp_path / "again"), ["I saw a saw."])


def test_without_a_sentence_there_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no probe sentence"):
        train(language(), tmp_path / "run", settings(), recording=Recording(texts=(" ", "")))
    with pytest.raises(InputError, match="every"):
        Recording(every=0)
    with pytest.raises(InputError, match="has no film"):
        open_film(tmp_path)
    with pytest.raises(UnknownLayerError):
        train(language(), tmp_path / "other", settings(), recording=Recording(layers=(7,)))
    train(language(), tmp_path / "other", settings(steps=2), recording=Recording(layers=(1,)))  # the folder is free
    with pytest.raises(InputError, match="begun with another film"):
        train(language(), tmp_path / "other", settings(steps=2), resume=True, recording=Recording(layers=(0,)))
    with pytest.raises(InputError, match="it gave NoneType"):
        Recorder(tmp_path / "film", torch.nn.Linear(2, 2), lambda: None).look()


def test_trainings_of_ones_own_are_filmed(tmp_path: Path) -> None:
    """A model and a trainer of transformers, of which this library knows nothing."""
    folder = tmp_path / "model"
    tiny_models.word_model(folder)
    pretrained = ch.load_pretrained(str(folder))
    ids = [{"input_ids": torch.arange(7) + n, "labels": torch.arange(7) + n} for n in range(6)]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    pretrained = ch.Pretrained("mine", model.base_model, pretrained.tokenizer, ())
    looks = 0

    def shown() -> ch.Capture:
        nonlocal looks
        looks += 1
        return ch.look(["abc abd", "ab"], pretrained)

    recorder = Recorder(tmp_path / "film", model, shown, every=2)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=5, per_device_train_batch_size=2, use_cpu=True, report_to=[],
        disable_tqdm=True, learning_rate=1e-2, save_strategy="no",
    )  # fmt: skip
    transformers.Trainer(model, arguments, train_dataset=ids, callbacks=[recorder]).train()
    film = open_film(tmp_path / "film")
    assert film.steps == (0, 2, 4, 5)
    assert looks == 4  # each is looked at once
    assert recorder.seconds > 0
    with pytest.raises(InputError, match="has the film of another training"):
        transformers.Trainer(model, arguments, train_dataset=ids, callbacks=[recorder]).train()
    assert model.training
    model.eval()
    again = ch.look(["abc abd", "ab"], pretrained)
    torch.testing.assert_close(film.at(5).layers[0].map.dense(), again.layers[0].map.dense())

    def twice() -> ch.Capture:
        with torch.no_grad(), ch.watch(model) as capture:
            for _ in range(2):
                model(ids[0]["input_ids"][None])
        return capture

    with pytest.raises(InputError, match="ran several times"):
        Recorder(tmp_path / "other", model, twice).look()
    path = film.folder / "000002.heads.parquet"
    assert polars.read_parquet(path)["step"].unique().to_list() == [2]
    path.write_bytes(b"half")
    with pytest.raises(InputError, match="damaged table"):
        film.statistics()
