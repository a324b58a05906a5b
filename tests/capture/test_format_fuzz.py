"""Damaged, altered and hostile files: CaptureFormatError or the numbers that were saved, and never anything else."""

import copy
import hashlib
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import clearhead as ch
from clearhead.capture import Capture, Layer, Tokens
from clearhead.errors import CaptureFormatError
from clearhead.maps.factored import FactoredMap
from clearhead.masks import Explicit, Spans
from clearhead.masks.both import Both
from clearhead.mechanisms import ScoreRule

HEADS, TOKENS, WIDTH = 2, 5, 3
REFUSED = "refused"


def make_capture() -> Capture:
    """A small capture with every kind of map, mask and tensor."""
    generator = torch.Generator().manual_seed(7)

    def random_qk(kv_heads: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
        q = torch.randn(1, HEADS, TOKENS, WIDTH, generator=generator)
        return q.to(dtype), torch.randn(1, kv_heads, TOKENS, WIDTH, generator=generator).to(dtype)

    causal = Spans.causal(TOKENS, TOKENS, device=torch.device("cpu"))
    checkered = Explicit((torch.arange(TOKENS)[:, None] + torch.arange(TOKENS)) % 2 == 0).bind(TOKENS, TOKENS)
    present = torch.tensor([[True, True, False, True, True]])
    q, k = random_qk(1)
    values = torch.randn(1, 1, TOKENS, 2, generator=generator)
    output = torch.nn.functional.scaled_dot_product_attention(q, k, values, enable_gqa=True)
    maps = [
        FactoredMap(*random_qk(2), ScoreRule(0.5, causal, torch.randn(1, HEADS, TOKENS, TOKENS, generator=generator))),
        FactoredMap(q, k, ScoreRule(WIDTH**-0.5), values=values, output=output),
        FactoredMap(*random_qk(2, torch.bfloat16), ScoreRule(0.5, Both(checkered, causal), sinks=torch.ones(HEADS))),
        FactoredMap(*random_qk(1, torch.float16), ScoreRule(0.5, Spans.padding(present, TOKENS), softcap=3.0)),
        ch.AttentionMap.from_weights(torch.rand(1, HEADS, TOKENS, TOKENS, generator=generator)),
    ]
    layers = [
        Layer(f"layers.{n}", 0, n, tuple(range(HEADS)), amap.shape, lambda amap=amap: amap)
        for n, amap in enumerate(maps)
    ]
    pieces = ("un", "##happy", "cats", ".", "[PAD]")
    offsets = ((0, 2), (2, 7), (8, 12), (12, 13), (0, 0))
    tokens = Tokens("unhappy cats.", pieces, offsets, (False,) * 5, (False,) * 4 + (True,))
    return Capture(layers, [tokens], {"model": "tiny", "versions": {"torch": "2"}})


class File:
    """A capture file in its parts, to be altered and put together again."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        size = int.from_bytes(data[:8], "little")
        self.head: dict[str, Any] = json.loads(data[8 : 8 + size])
        self.body = data[8 + size :]
        self.size = size

    @property
    def header(self) -> dict[str, Any]:
        return json.loads(self.head["__metadata__"]["clearhead"])

    @property
    def names(self) -> list[str]:
        return [name for name in self.head if name != "__metadata__"]

    def with_head(self, head: dict[str, Any], body: bytes | None = None) -> bytes:
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + (self.body if body is None else body)

    def with_header(self, header: Any, *, checksum: bool, body: bytes | None = None) -> bytes:
        text = header if isinstance(header, str) else json.dumps(header)
        head = copy.deepcopy(self.head)
        head["__metadata__"]["clearhead"] = text
        if checksum:
            head["__metadata__"]["clearhead.sha256"] = hashlib.sha256(text.encode()).hexdigest()
        return self.with_head(head, body)


def seeded(number: int) -> random.Random:
    """The same damage in every run."""
    return random.Random(number)  # noqa: S311


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> File:
    path = tmp_path_factory.mktemp("whole") / "run.safetensors"
    make_capture().save(path)
    return File(path.read_bytes())


def touch(capture: Capture) -> dict[str, torch.Tensor]:
    """Everything that can be asked of a capture; gives the weights."""
    repr(capture)
    weights = {}
    for layer in capture.layers:
        amap = layer.map
        assert amap.shape == layer.shape
        weights[layer.name] = amap.dense()
        assert weights[layer.name].shape == layer.shape
        rows = (
            amap[0, 0],
            amap[0, [0, 1], [1, 0], [2, 2]],
            amap.entropy(),
            amap.received(),
            amap.topk(1),
            amap.check(),
        )
        assert rows[0].shape == layer.shape[2:]
        amap.moments([[0], [1, 2]])
        amap.pooled(2)
    for text in range(len(capture.tokens or [])):
        assert len(capture.labels(text)) == len(capture.special(text))
    return weights


def outcome(data: bytes, path: Path) -> dict[str, torch.Tensor] | str:
    """The weights, or that the file was refused."""
    path.write_bytes(data)
    try:
        return touch(ch.open(path))
    except CaptureFormatError as error:
        return REFUSED if str(path) in str(error) else f"an error that does not name the file: {error}"


def is_harmless(found: dict[str, torch.Tensor] | str, original: dict[str, torch.Tensor]) -> bool:
    """Whether the file was refused, or gave just the numbers that were saved."""
    if isinstance(found, str):
        return found == REFUSED
    return list(found) == list(original) and all(
        torch.allclose(found[name], original[name], rtol=0, atol=1e-7) for name in original
    )


@pytest.fixture(scope="module")
def original() -> dict[str, torch.Tensor]:
    return touch(make_capture())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


def test_the_undamaged_file_gives_its_numbers(whole: File, original: dict[str, torch.Tensor], path: Path) -> None:
    for data in (whole.data, whole.with_head(whole.head), whole.with_header(whole.header, checksum=True)):
        found = outcome(data, path)
        assert found != REFUSED
        assert is_harmless(found, original)


def test_other_numbers_are_not_called_harmless(original: dict[str, torch.Tensor]) -> None:
    name = next(iter(original))
    changed = original[name].clone()
    changed[0, 0, 0, 0] += 1e-5
    assert not is_harmless({**original, name: changed}, original)
    assert not is_harmless({name: original[name]}, original)
    assert not is_harmless(dict(reversed(original.items())), original)
    assert not is_harmless("something else", original)


def test_truncated_files_are_refused(whole: File, path: Path) -> None:
    start = 8 + whole.size
    edges = [start + end for name in whole.names for end in whole.head[name]["data_offsets"]]
    lengths = {edge + step for edge in (0, 8, start, len(whole.data), *edges) for step in (-1, 0, 1)}
    chance = seeded(1)
    lengths |= {chance.randrange(len(whole.data)) for _ in range(100)}
    for length in sorted(lengths):
        if 0 <= length < len(whole.data):
            assert outcome(whole.data[:length], path) == REFUSED, length
    assert outcome(whole.data + b"\0", path) == REFUSED
    assert outcome(whole.data + whole.data, path) == REFUSED


def test_flipped_bits_never_change_a_number(whole: File, original: dict[str, torch.Tensor], path: Path) -> None:
    chance = seeded(2)
    bits = set(range(64))  # the header's length
    bits |= {chance.randrange(64, 8 * (8 + whole.size)) for _ in range(120)}
    bits |= {chance.randrange(8 * (8 + whole.size), 8 * len(whole.data)) for _ in range(50)}
    for bit in sorted(bits):
        data = bytearray(whole.data)
        data[bit // 8] ^= 1 << bit % 8
        assert is_harmless(outcome(bytes(data), path), original), f"bit {bit}"


def test_overwritten_and_moved_bytes_never_change_a_number(
    whole: File, original: dict[str, torch.Tensor], path: Path
) -> None:
    chance = seeded(3)
    for _ in range(80):
        data = bytearray(whole.data)
        start = chance.randrange(len(data))
        stop = min(len(data), start + chance.choice((1, 4, 64, 4096)))
        change = chance.randrange(4)
        if change == 0:
            data[start:stop] = chance.randbytes(stop - start)
        elif change == 1:
            data[start:stop] = bytes(stop - start)
        elif change == 2:
            del data[start:stop]
        else:
            data[start:start] = data[start:stop]
        assert is_harmless(outcome(bytes(data), path), original), (start, stop, change)


# safetensors' own header, which no checksum covers.


def altered_heads(file: File) -> Iterator[tuple[str, dict[str, Any]]]:
    for a, b in itertools.combinations(file.names, 2):
        head = copy.deepcopy(file.head)
        head[a], head[b] = head[b], head[a]
        yield f"{a} and {b} swapped", head
        if file.head[a]["shape"] != file.head[b]["shape"]:
            continue
        head = copy.deepcopy(file.head)
        head[a]["data_offsets"], head[b]["data_offsets"] = head[b]["data_offsets"], head[a]["data_offsets"]
        yield f"offsets of {a} and {b} swapped", head
    for name in file.names:
        for dtype in ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "U8", "I8", "BOOL", "F8_E4M3", "C64", "X"):
            head = copy.deepcopy(file.head)
            if head[name]["dtype"] != dtype:
                head[name]["dtype"] = dtype
                yield f"{name} as {dtype}", head
        shape = file.head[name]["shape"]
        for other in (shape[::-1], [*shape, 1], [1, *shape], shape[1:], [], [0], [2**40], [2**63, 2], [-1], None, "x"):
            head = copy.deepcopy(file.head)
            if other != shape:
                head[name]["shape"] = other
                yield f"{name} of the shape {other}", head
        for offsets in ([0, 0], [0, 2**40], [2**63, 2**63 + 8], [8, 0], [0], [-8, 0], None):
            head = copy.deepcopy(file.head)
            if head[name]["data_offsets"] != offsets:
                head[name]["data_offsets"] = offsets
                yield f"{name} at {offsets}", head
        head = copy.deepcopy(file.head)
        head["renamed"] = head.pop(name)
        yield f"{name} renamed", head
        head = copy.deepcopy(file.head)
        del head[name]
        yield f"{name} dropped", head


def test_altered_declarations_of_tensors_are_refused(
    whole: File, original: dict[str, torch.Tensor], path: Path
) -> None:
    count = 0
    for what, head in altered_heads(whole):
        found = outcome(whole.with_head(head), path)
        # The same bytes may be declared in another order, or two tensors may be equal: nothing changes then.
        assert is_harmless(found, original), what
        count += found == REFUSED
    assert count > 500


def test_tensors_dropped_and_added_are_refused(whole: File, path: Path) -> None:
    last = max(whole.names, key=lambda name: whole.head[name]["data_offsets"][1])
    head = copy.deepcopy(whole.head)
    start, stop = head.pop(last)["data_offsets"]
    assert outcome(whole.with_head(head, whole.body[:start]), path) == REFUSED
    head = copy.deepcopy(whole.head)
    head["more"] = {"dtype": "F32", "shape": [1], "data_offsets": [stop, stop + 4]}
    assert outcome(whole.with_head(head, whole.body + bytes(4)), path) == REFUSED


@pytest.mark.parametrize("key", ["clearhead", "clearhead.sha256"])
def test_altered_metadata_is_refused(key: str, whole: File, path: Path) -> None:
    for value in ("", "x", "{}", "[]", "null", "1", '"', "{" * 100_000, "[" * 100_000, None, 1, {}):
        head = copy.deepcopy(whole.head)
        head["__metadata__"][key] = value
        assert outcome(whole.with_head(head), path) == REFUSED, value
    head = copy.deepcopy(whole.head)
    del head["__metadata__"][key]
    assert outcome(whole.with_head(head), path) == REFUSED


# The capture's header.

NASTY = (
    None, True, False, -1, 0, 1, 3, 2**31, 2**63, 10**400, 0.5, -1e301, "", "x", "\0", "spans", "both", "stored",
    [], [0], [[]], [None], [1, 2, 5, 5], [1, 2, 5, 5.0], [10**15, 2, 5, 5], {}, {"kind": "explicit"},
)  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a JSON document."""
    for key in data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield (*at, key)
        yield from places(data[key], (*at, key))


def put(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place."""
    data = copy.deepcopy(data)
    inner = data
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return data


def test_a_header_without_its_checksum_is_refused(whole: File, original: dict[str, torch.Tensor], path: Path) -> None:
    chance = seeded(4)
    for at in chance.sample(sorted(places(whole.header), key=str), 60):
        altered = put(whole.header, at, chance.choice(NASTY))
        if altered == whole.header:
            continue
        assert outcome(whole.with_header(altered, checksum=False), path) == REFUSED, at


def test_a_header_with_wrong_values_and_a_checksum_never_crashes(whole: File, path: Path) -> None:
    """Whoever computes the checksum anew can say what they like, but only what makes sense is believed."""
    chance = seeded(5)
    every = sorted(places(whole.header), key=str)
    refused = 0
    for _ in range(220):
        at, value = chance.choice(every), chance.choice(NASTY)
        found = outcome(whole.with_header(put(whole.header, at, value), checksum=True), path)
        refused += found == REFUSED
    assert 120 < refused < 220


def test_every_field_of_a_layer_that_is_missing_is_refused(whole: File, path: Path) -> None:
    optional = ("tensors/values", "tensors/output", "tensors/bias", "tensors/sinks", "mask/present")
    for at in places(whole.header):
        way = "/".join(map(str, at))
        if isinstance(at[-1], int) or way.startswith("provenance/") or way.endswith(optional):
            continue
        altered = copy.deepcopy(whole.header)
        inner = altered
        for key in at[:-1]:
            inner = inner[key]
        del inner[at[-1]]
        found = outcome(whole.with_header(altered, checksum=True), path)
        assert found == REFUSED, at


def test_tensors_in_each_others_place_never_crash(whole: File, path: Path) -> None:
    chance = seeded(6)
    header = whole.header
    ways = [at for at in places(header["layers"]) if "tensors" in at[:-1] or at[-1] in ("starts", "stops", "present")]
    for _ in range(100):
        altered = put(header["layers"], chance.choice(ways), chance.choice(whole.names))
        outcome(whole.with_header({**header, "layers": altered}, checksum=True), path)


def test_hostile_headers_are_refused(whole: File, path: Path) -> None:
    header, first = whole.header, ("layers", 0, "map")
    mask = header["layers"][0]["map"]["mask"]
    deep = mask
    for _ in range(100):
        deep = {"kind": "both", "parts": [deep, mask]}
    text = json.dumps(header)
    layers = header["layers"]
    for what, altered in {
        "masks without end": put(header, (*first, "mask"), deep),
        "a mask of one part": put(header, (*first, "mask"), {"kind": "both", "parts": [mask]}),
        "a mask of nothing": put(header, (*first, "mask"), {"kind": "both", "parts": [mask, None]}),
        "NaN": text.replace('"scale": 0.5', '"scale": NaN'),
        "infinity": text.replace('"scale": 0.5', '"scale": Infinity'),
        "an infinite number": text.replace('"scale": 0.5', '"scale": 1e999'),
        "a number without end": text.replace('"scale": 0.5', '"scale": ' + "9" * 5000),
        "true as a version": put(header, ("version",), True),
        "a version that is no whole number": put(header, ("version",), 1.0),
        "version 0": put(header, ("version",), 0),
        "a later version": put(header, ("version",), 2),
        "a softcap of 0": put(header, (*first, "softcap"), 0),
        "another tensor's part": put(header, (*first, "tensors", "weights"), layers[4]["map"]["tensors"]["weights"]),
        "an unknown part": put(header, (*first, "tensors", "slopes"), "0.q"),
        "an unknown unit": put(header, ("unit",), "letters"),
        "words without tokens": {**header, "unit": "words", "tokens": None},
        "words of other texts": {**header, "unit": "words", "tokens": [Tokens.from_pieces(["a"]).to_json()]},
        "words of no text": {**header, "unit": "words", "tokens": []},
        "offsets outside": put(header, ("tokens", 0, "offsets", 0), [-(10**9), 10**9]),
        "offsets of three": put(header, ("tokens", 0, "offsets", 0), [0, 1, 2]),
        "half a character": put(header, ("tokens", 0, "text"), "\ud800 and more than that"),
        "a head less": put(header, ("layers", 0, "heads"), [0]),
    }.items():
        assert altered != text, what
        assert outcome(whole.with_header(altered, checksum=True), path) == REFUSED, what


def with_tensor(file: File, name: str, tensor: torch.Tensor) -> bytes:
    """The file with another tensor of the same size in bytes, and every checksum as it should be."""
    raw = tensor.contiguous().view(torch.uint8).numpy().tobytes()
    start, stop = file.head[name]["data_offsets"]
    assert len(raw) == stop - start
    header = put(file.header, ("tensors", name, "sha256"), hashlib.sha256(raw).hexdigest())
    return file.with_header(header, checksum=True, body=file.body[:start] + raw + file.body[stop:])


def test_hostile_masks_are_refused_when_they_are_read(whole: File, path: Path) -> None:
    for name in ("0.mask.starts", "0.mask.stops"):
        for bad in (-1, TOKENS + 1, 2**31 - 1, -(2**31)):
            spans = torch.zeros(whole.head[name]["shape"], dtype=torch.int32)
            spans[0, 0, 2] = bad
            assert outcome(with_tensor(whole, name, spans), path) == REFUSED
    for name in ("2.mask.0.allowed", "3.mask.present"):
        neither = torch.full(whole.head[name]["shape"], 2, dtype=torch.uint8)
        assert outcome(with_tensor(whole, name, neither), path) == REFUSED


def test_numbers_that_are_not_finite_never_crash(whole: File, path: Path) -> None:
    """A model with NaN in its weights has such a capture."""
    for name in whole.names:
        if whole.head[name]["dtype"] == "F32":
            for bad in (torch.nan, torch.inf, 3e38):
                assert outcome(with_tensor(whole, name, torch.full(whole.head[name]["shape"], bad)), path) != REFUSED
