"""The capture file: what is saved comes back, whole or not at all."""

import hashlib
import json
import math
import os
import re
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import clearhead as ch
from clearhead.capture import Capture, Layer, Tokens
from clearhead.capture import format as capture_format
from clearhead.errors import CaptureFormatError, InputError, LargeMapError
from clearhead.maps.factored import FactoredMap
from clearhead.masks import Causal, Explicit, Predicate
from clearhead.masks.both import Both
from clearhead.mechanisms import ScoreRule

BATCH, HEADS, SHARED, QUERIES, KEYS, WIDTH = 2, 6, 3, 5, 7, 11
SHAPE = (BATCH, HEADS, QUERIES, KEYS)


def qk(dtype: torch.dtype = torch.float32, kv_heads: int = HEADS, queries: int = QUERIES) -> tuple[torch.Tensor, ...]:
    return (
        torch.randn(BATCH, HEADS, queries, WIDTH, dtype=torch.float64).to(dtype),
        torch.randn(BATCH, kv_heads, KEYS, WIDTH, dtype=torch.float64).to(dtype),
    )


def separate_runs() -> torch.Tensor:
    """A mask that no run of keys describes, with a row that may attend to nothing."""
    allowed = torch.rand(BATCH, HEADS, QUERIES, KEYS) > 0.4
    allowed[..., :3] = torch.tensor([True, False, True])
    allowed[1, 2, 3] = False
    return allowed


def padding() -> torch.Tensor:
    present = torch.ones(BATCH, 1, 1, KEYS, dtype=torch.bool)
    present[1, ..., 4:] = False
    return present


def masked(mask: ch.AttentionMap | object) -> ch.AttentionMap:
    return FactoredMap(*qk(), ScoreRule(0.3, mask))  # type: ignore[arg-type]


def not_every_third(batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return (query + key + head) % 3 > 0


def everything(batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    return key >= 0


def alibi(
    score: torch.Tensor, batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor:
    return score - (key - query).abs() * 0.5 ** (head + 1)


def with_values() -> ch.AttentionMap:
    q, k = qk(kv_heads=SHARED)
    values = torch.randn(BATCH, SHARED, KEYS, 13)
    output = torch.nn.functional.scaled_dot_product_attention(q, k, values, enable_gqa=True)
    return ch.AttentionMap.from_qk(q, k, values=values, output=output)


def forbidding_bias() -> torch.Tensor:
    bias = torch.randn(1, HEADS, QUERIES, KEYS)
    bias[..., 2:4] = -torch.inf
    return bias


FROM_QK = ch.AttentionMap.from_qk
MAPS = {
    "plain": lambda: FROM_QK(*qk()),
    "float64": lambda: FROM_QK(*qk(torch.float64)),
    "float16": lambda: FROM_QK(*qk(torch.float16)),
    "bfloat16": lambda: FROM_QK(*qk(torch.bfloat16)),
    "grouped": lambda: FROM_QK(*qk(kv_heads=SHARED)),
    "one key head": lambda: FROM_QK(*qk(kv_heads=1)),
    "causal": lambda: FROM_QK(*qk(), causal=True),
    "padding": lambda: FROM_QK(*qk(), mask=padding()),
    "padding and causal": lambda: FROM_QK(*qk(), mask=padding(), causal=True),
    "explicit": lambda: FROM_QK(*qk(), mask=separate_runs()),
    "both": lambda: masked(Both(Explicit(separate_runs()).bind(QUERIES, KEYS), Causal().bind(QUERIES, KEYS))),
    "predicate": lambda: masked(Predicate(not_every_third, BATCH, HEADS).bind(QUERIES, KEYS)),
    "predicate that allows all": lambda: masked(Predicate(everything, BATCH, HEADS).bind(QUERIES, KEYS)),
    "predicate and spans": lambda: masked(
        Predicate(not_every_third, BATCH, HEADS).bind(QUERIES, KEYS) & Causal().bind(QUERIES, KEYS)
    ),
    "bias": lambda: FROM_QK(*qk(), bias=torch.randn(HEADS, QUERIES, KEYS)),
    "bias by key": lambda: FROM_QK(*qk(), bias=torch.randn(BATCH, 1, 1, KEYS)),
    "bias that forbids": lambda: FROM_QK(*qk(), bias=forbidding_bias()),
    "softcap": lambda: FROM_QK(*qk(kv_heads=SHARED), softcap=2.0, causal=True),
    "sinks": lambda: FROM_QK(*qk(), sinks=torch.randn(HEADS)),
    "score function": lambda: FROM_QK(*qk(), modify=alibi, causal=True),
    "stored": lambda: ch.AttentionMap.from_weights(torch.rand(*SHAPE).softmax(-1)),
    "stored bfloat16": lambda: ch.AttentionMap.from_weights(torch.rand(*SHAPE).softmax(-1).bfloat16()),
    "values": with_values,
    "everything": lambda: FROM_QK(
        *qk(torch.bfloat16, kv_heads=SHARED),
        scale=0.7,
        mask=separate_runs(),
        causal=True,
        bias=torch.randn(1, 1, QUERIES, KEYS),
        softcap=5.0,
        sinks=torch.randn(HEADS),
    ),
}


def layer_of(amap: ch.AttentionMap, number: int, call: int = 0, path: str | None = None) -> Layer:
    path = path or f"encoder.{number}.attention"
    return Layer(path, call, number, tuple(range(amap.shape[1])), amap.shape, lambda: amap)


def capture_of(*maps: ch.AttentionMap, tokens: list[Tokens] | None = None) -> Capture:
    layers = [layer_of(amap, number) for number, amap in enumerate(maps)]
    return Capture(layers, tokens, {"model": "somebody/tiny", "dtype": "float32", "versions": {"torch": "2"}})


def assert_same(have: Capture, want: Capture) -> None:
    """Names, numbers, heads, tokens, provenance, and every weight."""
    assert [(x.path, x.call, x.number, x.heads, x.shape) for x in have.layers] == [
        (x.path, x.call, x.number, x.heads, x.shape) for x in want.layers
    ]
    assert (have.tokens, have.provenance, have.unit) == (want.tokens, want.provenance, want.unit)
    for name in want:
        assert have[name].dtype == want[name].dtype
        torch.testing.assert_close(have[name].dense(), want[name].dense(), rtol=1e-6, atol=1e-7)


def round_trip(capture: Capture, folder: Path) -> Capture:
    capture.save(folder / "run.safetensors")
    return ch.open(folder / "run.safetensors")


def header_of(path: Path) -> dict:
    return json.loads(safe_open(path, "pt").metadata()["clearhead"])


def two_texts() -> list[Tokens]:
    """Seven tokens each: a word of two tokens, and padding in the second."""
    words = Tokens(
        "unhappy cats sat down",
        ("[CLS]", "un", "##happy", "cats", "sat", "down", "[SEP]"),
        ((0, 0), (0, 2), (2, 7), (8, 12), (13, 16), (17, 21), (0, 0)),
        (True, *[False] * 5, True),
        (False,) * 7,
    )
    short = Tokens(
        "a cat",
        ("[CLS]", "a", "cat", "[SEP]", "[PAD]", "[PAD]", "[PAD]"),
        ((0, 0), (0, 1), (2, 5), *[(0, 0)] * 4),
        (True, False, False, True, True, True, True),
        (*[False] * 4, True, True, True),
    )
    return [words, short]


@pytest.mark.parametrize("kind", MAPS)
def test_every_kind_of_map_comes_back(kind: str, tmp_path: Path) -> None:
    capture = capture_of(MAPS[kind]())
    opened = round_trip(capture, tmp_path)
    assert_same(opened, capture)
    amap, again = next(iter(capture.values())), next(iter(opened.values()))
    torch.testing.assert_close(again.entropy(), amap.entropy(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.received(), amap.received(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.check().row_sum, amap.check().row_sum, rtol=0, atol=1e-5)


def test_what_compares_captures_sees_every_difference() -> None:
    torch.manual_seed(1)
    capture = capture_of(MAPS["plain"](), tokens=two_texts())
    assert_same(capture, capture)
    other = [capture_of(MAPS["plain"](), tokens=two_texts()), capture.select(heads=[0]), capture_of()]
    other += [Capture(capture.layers, None, capture.provenance), Capture(capture.layers, capture.tokens, {})]
    weights = capture["encoder.0.attention"].dense()
    weights[1, 2, 3, 4] += 1e-5
    other += [capture_of(ch.AttentionMap.from_weights(weights), tokens=two_texts())]
    for different in other:
        with pytest.raises(AssertionError):
            assert_same(different, capture)


def test_checks_of_outputs_survive(tmp_path: Path) -> None:
    opened = round_trip(capture_of(MAPS["values"]()), tmp_path)
    check = opened["encoder.0.attention"].check()
    assert check.columns == 13
    assert check.output is not None
    assert check.output < 1e-5


def test_a_whole_capture_comes_back(tmp_path: Path) -> None:
    maps = [MAPS[kind]() for kind in ("plain", "padding", "grouped", "score function")]
    capture = capture_of(*maps)
    capture.layers.append(layer_of(MAPS["causal"](), 4, call=1, path="encoder.0.attention"))
    opened = round_trip(capture, tmp_path)
    assert_same(opened, capture)
    assert list(opened)[-1] == "encoder.0.attention@1"
    assert [amap.shape for amap in opened.calls("encoder.0.attention")] == [SHAPE, SHAPE]


def test_selected_heads_keep_their_names(tmp_path: Path) -> None:
    capture = capture_of(MAPS["grouped"](), MAPS["everything"]()).select(heads=[5, 2])
    opened = round_trip(capture, tmp_path)
    assert_same(opened, capture)
    assert opened.layers[0].heads == (5, 2)
    assert opened.head("L1H2")[1] == 1


def test_an_opened_capture_can_be_saved_again(tmp_path: Path) -> None:
    capture = capture_of(MAPS["everything"](), MAPS["both"]())
    opened = round_trip(capture, tmp_path)
    opened.save(tmp_path / "run.safetensors")  # over the file that it reads from
    assert_same(opened, capture)
    assert_same(ch.open(tmp_path / "run.safetensors"), capture)


def test_words_and_tokens_come_back(tmp_path: Path) -> None:
    q, k = torch.randn(BATCH, HEADS, KEYS, WIDTH), torch.randn(BATCH, HEADS, KEYS, WIDTH)
    capture = capture_of(ch.AttentionMap.from_qk(q, k, mask=padding()), tokens=two_texts())
    for shown in (capture, capture.words()):
        opened = round_trip(shown, tmp_path)
        assert_same(opened, shown)
        assert opened.labels(1) == shown.labels(1)
        assert opened.special(0) == shown.special(0)
    assert opened.unit == "words"
    assert opened.labels(0) == ["[CLS]", "unhappy", "cats", "sat", "down", "[SEP]"]


def test_a_capture_without_layers_comes_back(tmp_path: Path) -> None:
    assert_same(round_trip(capture_of(), tmp_path), capture_of())


def test_text_of_any_script_comes_back(tmp_path: Path) -> None:
    capture = capture_of(tokens=[Tokens.from_pieces(["हिन्दी", "猫", "👩‍🚀", '"\\\n'])])
    capture.provenance["model"] = "a folder called \udcff"  # a path that is not UTF-8, as Python gives it
    assert_same(round_trip(capture, tmp_path), capture)


def test_shared_tensors_are_stored_once(tmp_path: Path) -> None:
    bias = torch.randn(1, HEADS, QUERIES, KEYS)
    mask = Explicit(separate_runs()).bind(QUERIES, KEYS)
    q, k = qk()
    maps = [FactoredMap(q, k, ScoreRule(scale, mask, bias)) for scale in (0.1, 0.2)]
    capture = capture_of(*maps)
    capture.save(tmp_path / "run.safetensors")
    names = [layer["map"]["tensors"] for layer in header_of(tmp_path / "run.safetensors")["layers"]]
    assert names[0] == {"q": "0.q", "k": "0.k", "lse": "0.lse", "bias": "0.bias"}
    assert names[1] == {"q": "0.q", "k": "0.k", "lse": "1.lse", "bias": "0.bias"}
    assert_same(ch.open(tmp_path / "run.safetensors"), capture)


def test_tensors_that_overlap_in_memory_can_be_saved(tmp_path: Path) -> None:
    x = torch.randn(BATCH, HEADS, KEYS, WIDTH)
    capture = capture_of(ch.AttentionMap.from_qk(x, x), ch.AttentionMap.from_qk(x[1:], x[1:]))
    assert_same(round_trip(capture, tmp_path), capture)


def test_a_mask_function_that_is_alike_for_all_heads_is_stored_once_for_all(tmp_path: Path) -> None:
    def two_runs(b: torch.Tensor, h: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        return (j < 2) | (j > 4)

    capture = capture_of(masked(Predicate(two_runs, BATCH, HEADS).bind(QUERIES, KEYS)))
    assert_same(round_trip(capture, tmp_path), capture)
    header = header_of(tmp_path / "run.safetensors")
    assert header["layers"][0]["map"]["mask"]["kind"] == "spans"  # absent keys in the middle
    assert header["tensors"]["0.mask.present"]["shape"] == [1, 1, KEYS]


# Opening.


def test_opening_loads_neither_the_model_nor_transformers(tmp_path: Path) -> None:
    capture_of(MAPS["everything"](), tokens=two_texts()).save(tmp_path / "run.safetensors")
    script = """
        import sys, clearhead as ch
        capture = ch.open(sys.argv[1])
        print(float(capture["encoder.0.attention"][0, 0, 0].sum()))
        assert not {"transformers", "matplotlib"} & set(sys.modules), "loaded too much"
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), str(tmp_path / "run.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_tensor_is_read_before_its_map_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture = capture_of(MAPS["plain"](), MAPS["plain"]())
    capture.save(path)
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    start = 8 + size + json.loads(data[8 : 8 + size])["1.k"]["data_offsets"][0]
    data[start] ^= 1
    path.write_bytes(data)
    opened = ch.open(path)
    selected = opened.select(layers=1, heads=0).to("cpu")
    torch.testing.assert_close(opened["encoder.0.attention"].dense(), capture["encoder.0.attention"].dense())
    for _ in range(2):  # also when it is asked again
        with pytest.raises(CaptureFormatError, match=r"checksum of tensor 1\.k"):
            opened["encoder.1.attention"]
    with pytest.raises(CaptureFormatError, match="checksum"):
        next(iter(selected.values()))


def test_tensors_are_mapped_from_the_file(tmp_path: Path) -> None:
    opened = round_trip(capture_of(MAPS["plain"]()), tmp_path)
    amap = opened["encoder.0.attention"]
    ranges = [
        [int(end, 16) for end in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(tmp_path / "run.safetensors"))
    ]
    address = amap.tensors()["q"].data_ptr()
    assert any(start <= address < stop for start, stop in ranges)


def test_a_map_is_the_same_each_time(tmp_path: Path) -> None:
    opened = round_trip(capture_of(MAPS["plain"]()), tmp_path)
    assert opened["encoder.0.attention"] is opened["encoder.0.attention"]


def test_a_newer_version_is_said(tmp_path: Path) -> None:
    path = tmp_path / "new.safetensors"
    save_file({}, path, {"clearhead": '{"version": 2, "anything": "else"}'})
    with pytest.raises(CaptureFormatError, match=r"version 2 .* reads up to 1: update clearhead"):
        ch.open(path)


def test_other_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    foreign, text, empty = (tmp_path / name for name in ("foreign", "text", "empty"))
    save_file({"weight": torch.ones(2)}, foreign)
    text.write_text("attention is all you need\n" * 99)
    empty.touch()
    cut = tmp_path / "cut"
    cut.write_bytes(foreign.read_bytes()[:-1])
    for path, said in (
        (foreign, "is a safetensors file, but no clearhead capture"),
        (text, "text is no clearhead capture: it is no safetensors file$"),
        (empty, "empty is no clearhead capture: it is no safetensors file$"),
        (cut, "no whole safetensors file"),
        (tmp_path, "cannot open .*directory"),
        (tmp_path / "nothing", "cannot open .*No such file"),
    ):
        with pytest.raises(CaptureFormatError, match=said) as caught:
            ch.open(path)
        assert str(path) in str(caught.value)


# Saving: whole or not at all.


def assert_untouched(folder: Path, before: bytes) -> None:
    """One file with the bytes that it had, and nothing beside it."""
    assert [path.name for path in folder.iterdir()] == ["run.safetensors"]
    assert (folder / "run.safetensors").read_bytes() == before


def test_what_looks_for_leftovers_finds_them(tmp_path: Path) -> None:
    (tmp_path / "run.safetensors").write_bytes(b"old")
    assert_untouched(tmp_path, b"old")
    with pytest.raises(AssertionError):
        assert_untouched(tmp_path, b"new")
    (tmp_path / ".part").touch()
    with pytest.raises(AssertionError):
        assert_untouched(tmp_path, b"old")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
def test_a_write_that_fails_leaves_the_old_file(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.safetensors"
    capture = capture_of(MAPS["plain"]())
    capture.save(path)
    before = path.read_bytes()

    def fail(tensors: object, part: str, metadata: object) -> None:
        Path(part).write_bytes(b"half")
        raise error

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    expected = InputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected, match="cannot write .*No space left" if expected is InputError else None):
        capture.save(path)
    assert_untouched(tmp_path, before)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A real one: the process may write no file above 2 kB."""
    path = tmp_path / "run.safetensors"
    capture_of().save(path)
    before = path.read_bytes()
    script = """
        import resource, sys, torch, clearhead as ch
        from clearhead.capture import Capture, Layer
        from clearhead.errors import InputError
        amap = ch.AttentionMap.from_qk(torch.randn(1, 2, 50, 8), torch.randn(1, 2, 50, 8))
        capture = Capture([Layer("a", 0, 0, (0, 1), amap.shape, lambda: amap)])
        amap.lse
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            capture.save(sys.argv[1])
        except InputError as error:
            sys.exit(str(error))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot write {path}"), done.stderr
    assert "too large" in done.stderr
    assert_untouched(tmp_path, before)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    capture = capture_of(MAPS["plain"]())
    (tmp_path / "run.safetensors").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in ("none/run.safetensors", "run.safetensors/run.safetensors", "folder", "pipe", "x" * 300):
        with pytest.raises(InputError, match="cannot write"):
            capture.save(tmp_path / path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "pipe", "run.safetensors"]


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)  # permissions do not bind the administrator that tests may run as
    with pytest.raises(InputError, match=r"cannot write .*run\.safetensors: Permission denied"):
        capture_of().save(tmp_path / "run.safetensors")
    assert not list(tmp_path.iterdir())


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.safetensors", tmp_path / "run.safetensors"
    mask = os.umask(0o027)
    try:
        capture_of().save(real)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    real.chmod(0o600)
    link.symlink_to(real)
    capture_of(MAPS["plain"]()).save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert len(ch.open(real)) == 1


def test_what_cannot_be_saved_is_said_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.safetensors"
    for provenance in ({"model": object()}, {"loss": math.nan}):
        with pytest.raises(InputError, match="provenance"):
            Capture([], None, provenance).save(path)
    with pytest.raises(InputError, match="empty"):
        capture_of(MAPS["plain"]()).select(heads=[]).save(path)
    monkeypatch.setattr(capture_format, "MOST_ENTRIES", 100)
    for kind, said in (("predicate", "mask .* is a function"), ("score function", "score .* by a function")):
        with pytest.raises(LargeMapError, match=rf"{said}.*select\(\)"):
            capture_of(MAPS[kind]()).save(path)
    assert not list(tmp_path.iterdir())


# The document.


def documented_reader() -> dict:
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(block, names)  # noqa: S102
    return names


@pytest.mark.parametrize("kind", MAPS)
def test_the_documented_reader_reads_every_kind(kind: str, tmp_path: Path) -> None:
    capture = capture_of(MAPS["plain"](), MAPS[kind]())
    capture.save(tmp_path / "run.safetensors")
    weights = documented_reader()["weights"](tmp_path / "run.safetensors", 1)
    want = capture["encoder.1.attention"].dense()
    torch.testing.assert_close(torch.as_tensor(weights.copy()).double(), want.double(), rtol=1e-4, atol=1e-6)


def test_the_documented_reader_refuses_damage(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture_of(MAPS["plain"]()).save(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(AssertionError, match="altered tensor"):
        documented_reader()["weights"](path, 0)


def test_the_header_is_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    capture_of(MAPS["everything"](), MAPS["stored"](), tokens=two_texts()).save(path)
    metadata = safe_open(path, "pt").metadata()
    assert set(metadata) == {"clearhead", "clearhead.sha256"}
    assert hashlib.sha256(metadata["clearhead"].encode()).hexdigest() == metadata["clearhead.sha256"]
    header = json.loads(metadata["clearhead"])
    assert set(header) == {"version", "unit", "provenance", "tokens", "layers", "tensors"}
    assert set(header["tokens"][0]) == {"text", "pieces", "offsets", "special", "padding"}
    assert set(header["layers"][0]) == {"path", "call", "number", "heads", "map"}
    assert set(header["layers"][0]["map"]) == {"kind", "shape", "tensors", "scale", "softcap", "mask"}
    assert set(header["layers"][1]["map"]) == {"kind", "shape", "tensors"}
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    for name in (*header, *header["tokens"][0], *header["layers"][0], *header["layers"][0]["map"]):
        assert f"`{name}`" in page
