"""A capture: a mapping from module paths to maps, by token or by word."""

from pathlib import Path

import pytest
import torch

import clearhead as ch
from clearhead.capture import Capture, Layer, Tokens
from clearhead.errors import InputError, UnknownLayerError
from clearhead.maps.words import WordMap

BATCH, HEADS, TOKENS, WIDTH = 2, 3, 7, 5


def make_map(heads: int = HEADS, queries: int = TOKENS, keys: int = TOKENS) -> ch.AttentionMap:
    present = torch.ones(BATCH, 1, 1, keys, dtype=torch.bool)
    present[1, ..., 4:] = False
    q, k = torch.randn(BATCH, heads, queries, WIDTH), torch.randn(BATCH, heads, keys, WIDTH)
    return ch.AttentionMap.from_qk(q, k, mask=present)


def texts() -> list[Tokens]:
    """Seven tokens each: a word of two tokens, and padding in the second."""
    first = Tokens(
        "unhappy cats sat down",
        ("[CLS]", "un", "##happy", "cats", "sat", "down", "[SEP]"),
        ((0, 0), (0, 2), (2, 7), (8, 12), (13, 16), (17, 21), (0, 0)),
        (True, *[False] * 5, True),
        (False,) * 7,
    )
    second = Tokens(
        "acat",
        ("[CLS]", "a", "cat", "[SEP]", "[PAD]", "[PAD]", "[PAD]"),
        ((0, 0), (0, 1), (1, 4), *[(0, 0)] * 4),
        (True, False, False, True, True, True, True),
        (*[False] * 4, True, True, True),
    )
    return [first, second]


PATHS = ("encoder.layer.0.attention", "encoder.layer.1.attention", "decoder.layer.0.attention")


@pytest.fixture
def capture() -> Capture:
    """Three layers, of which the first runs twice."""
    layers = []
    for path, call in [*((path, 0) for path in PATHS), (PATHS[0], 1)]:
        amap = make_map()
        layers.append(Layer(path, call, PATHS.index(path), tuple(range(HEADS)), amap.shape, lambda amap=amap: amap))
    return Capture(layers, texts(), {"model": "somebody/tiny", "dtype": "float32"})


def test_it_is_a_mapping_in_order_of_execution(capture: Capture) -> None:
    assert list(capture) == [*PATHS, f"{PATHS[0]}@1"]
    assert len(capture) == 4
    assert [amap.shape for amap in capture.values()] == [(BATCH, HEADS, TOKENS, TOKENS)] * 4
    assert capture[PATHS[1]] is capture.layers[1].map
    assert PATHS[1] in capture
    assert "attention" not in capture
    assert capture.get("attention") is None
    assert dict(capture)[PATHS[2]] is capture.layers[2].map


def test_captures_are_alike_only_to_themselves(capture: Capture) -> None:
    other = Capture(capture.layers, capture.tokens, capture.provenance)
    assert capture == capture
    assert capture != other
    assert len({capture, other}) == 2


def test_unknown_layers_name_near_ones(capture: Capture) -> None:
    with pytest.raises(UnknownLayerError, match=r"no layer 'encoder.layer.7.attention'.*near it: .*encoder\.layer\.1"):
        capture["encoder.layer.7.attention"]
    with pytest.raises(UnknownLayerError, match=r"near it: .*decoder\.layer\.0\.attention"):
        capture["decoder"]
    with pytest.raises(UnknownLayerError, match=r"there are: encoder\.layer\.0\.attention, "):
        capture["????"]
    with pytest.raises(UnknownLayerError, match="there are none"):
        Capture()["a"]
    with pytest.raises(KeyError):
        capture["a"]


def test_calls_of_one_module(capture: Capture) -> None:
    assert capture.calls(PATHS[0]) == [capture[PATHS[0]], capture[f"{PATHS[0]}@1"]]
    assert capture.paths == list(PATHS)
    with pytest.raises(UnknownLayerError, match="near it"):
        capture.calls("encoder.layer.0")


def test_heads_have_names(capture: Capture) -> None:
    layer, place = capture.head("L1H2")
    assert (layer.path, place) == (PATHS[1], 2)
    assert capture.head(" l0h0 ")[0].name == PATHS[0]
    assert capture.head("L0H0@1")[0].name == f"{PATHS[0]}@1"
    assert [layer.label(2) for layer in capture.layers] == ["L0H2", "L1H2", "L2H2", "L0H2@1"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("L4H0", "no layer 4: the capture has the layers 0–2"),
        ("L1H3", "no head 3 in layer 1: it has the heads 0–2"),
        ("L0H0@2", "no call 2 of layer 0: it ran 2 times"),
        ("3.1", "'3.1' is no head name; heads are called like L3H1"),
        ("L-1H0", "is no head name"),
        ("", "is no head name"),
    ],
)
def test_unknown_heads(capture: Capture, name: str, said: str) -> None:
    with pytest.raises(UnknownLayerError, match=said):
        capture.head(name)


@pytest.mark.parametrize(
    ("layers", "labels"),
    [
        (None, ["L0", "L1", "L2", "L0@1"]),
        (1, ["L1"]),
        (0, ["L0", "L0@1"]),
        ([2, 0], ["L0", "L2", "L0@1"]),
        (range(2), ["L0", "L1", "L0@1"]),
        (PATHS[1], ["L1"]),
        (PATHS[0], ["L0", "L0@1"]),
        (f"{PATHS[0]}@1", ["L0@1"]),
        ("encoder", ["L0", "L1", "L0@1"]),
        ("encoder.layer.*", ["L0", "L1", "L0@1"]),
        (["decoder.*", 1], ["L1", "L2"]),
        ([], []),
    ],
)
def test_selecting_layers(capture: Capture, layers: object, labels: list[str]) -> None:
    chosen = capture.select(layers=layers)
    assert [layer.label() for layer in chosen.layers] == labels
    assert chosen.tokens is capture.tokens
    assert chosen.provenance == capture.provenance


def test_selected_heads_keep_their_names(capture: Capture) -> None:
    chosen = capture.select(layers=[1, 2], heads=[2, 0])
    assert chosen.head("L2H0")[1] == 1
    assert chosen.layers[0].heads == (2, 0)
    whole = capture[PATHS[1]].dense()
    torch.testing.assert_close(chosen[PATHS[1]].dense(), whole[:, [2, 0]])
    again = chosen.select(heads=2)
    assert again.layers[0].heads == (2,)
    torch.testing.assert_close(again[PATHS[1]].dense(), whole[:, [2]])
    with pytest.raises(UnknownLayerError, match="no head 1 in layer 1: it has the heads 0, 2"):
        chosen.head("L1H1")


@pytest.mark.parametrize("layers", [7, -1, "encoder.layer.7.*", "nothing", [0, "nothing"]])
def test_selecting_unknown_layers(capture: Capture, layers: object) -> None:
    with pytest.raises(UnknownLayerError, match=r"no layer .* in this capture; (near it|there are): "):
        capture.select(layers=layers)


def test_selecting_unknown_heads(capture: Capture) -> None:
    with pytest.raises(UnknownLayerError, match="no head 5 in layer 0: it has the heads 0–2"):
        capture.select(heads=[0, 5])


def test_selecting_and_words_compute_nothing_until_a_map_is_looked_at() -> None:
    loaded = []
    amap = make_map()

    def load() -> ch.AttentionMap:
        loaded.append(amap)
        return amap

    capture = Capture([Layer("a", 0, 0, tuple(range(HEADS)), amap.shape, load)], texts())
    shown = capture.select(layers=0, heads=[1]).words().to("cpu").select(heads=1)
    assert "L0 a: batch=2, heads=1, 6 × 6" in repr(shown)
    assert shown.labels() == capture.words().labels()
    assert not loaded
    assert shown["a"] is shown["a"]
    assert len(loaded) == 1


def by_word(weights: torch.Tensor, words: list[list[int]]) -> torch.Tensor:
    """The definition: to a word the sum over its tokens, from it the mean."""
    summed = torch.stack([weights[..., word].sum(-1) for word in words], -1)
    return torch.stack([summed[..., word, :].mean(-2) for word in words], -2)


def test_words_sum_to_and_average_from(capture: Capture) -> None:
    words = capture.words()
    assert isinstance(words[PATHS[0]], WordMap)
    assert words.unit == "words"
    assert words.words() is words
    weights, shown = capture[PATHS[0]].dense(), words[PATHS[0]].dense()
    assert shown.shape == (BATCH, HEADS, 6, 6)
    torch.testing.assert_close(shown[0], by_word(weights[0], [[0], [1, 2], [3], [4], [5], [6]]))
    torch.testing.assert_close(shown[1, :, :3, :3], by_word(weights[1], [[0], [1, 2], [3]]))
    assert not shown[1, :, 3:].any()
    assert not shown[1, :, :, 3:].any()
    torch.testing.assert_close(shown[0].sum(-1), torch.ones(HEADS, 6))
    selected = capture.select(heads=[2]).words()[PATHS[0]].dense()
    torch.testing.assert_close(selected, shown[:, [2]])
    torch.testing.assert_close(words.select(heads=[2])[PATHS[0]].dense(), selected)


def test_what_sums_words_tells_sum_from_mean() -> None:
    weights = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    by_hand = torch.tensor([[0.5, 0.5], [0.5, 0.5]])  # the second word is the tokens 1 and 2
    torch.testing.assert_close(by_word(weights, [[0], [1, 2]]), by_hand)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(by_word(weights.T.contiguous(), [[0], [1, 2]]), by_hand)


def test_words_need_tokens_that_fit(capture: Capture) -> None:
    capture.tokens = None
    with pytest.raises(InputError, match=r"set capture\.tokens"):
        capture.words()
    for tokens, said in (
        (texts()[:1], "but the tokens are 1 × 7"),
        ([Tokens.from_pieces("abc")] * 2, "but the tokens are 2 × 3"),
        ([texts()[0], Tokens.from_pieces("abc")], "texts of 3, 7 tokens"),
        ([], "texts of no tokens"),
    ):
        capture.tokens = tokens
        with pytest.raises(InputError, match=said):
            capture.words()
    across = make_map(queries=4)
    capture = Capture([Layer("cross", 0, 0, (0, 1, 2), across.shape, lambda: across)], texts())
    with pytest.raises(InputError, match=r"cross is a map of 2 × 4 × 7 .*only self-attention"):
        capture.words()


def test_labels_and_special_tokens(capture: Capture) -> None:
    assert capture.labels() == ["[CLS]", "un", "##happy", "cats", "sat", "down", "[SEP]"]
    assert capture.special() == [True, False, False, False, False, False, True]
    assert capture.special(1) == [True, False, False, True, True, True, True]  # padding too
    words = capture.words()
    assert words.labels() == ["[CLS]", "unhappy", "cats", "sat", "down", "[SEP]"]
    assert words.labels(1) == ["[CLS]", "acat", "[SEP]"]
    assert words.special(1) == [True, False, True]
    capture.tokens = None
    assert capture.labels() == ["0", "1", "2", "3", "4", "5", "6"]
    assert capture.special() == [False] * 7
    assert Capture().labels() == []


def test_how_it_prints(capture: Capture) -> None:
    lines = repr(capture).splitlines()
    assert lines[0] == "Capture of somebody/tiny, 4 maps by token"
    assert lines[2] == "  L1 encoder.layer.1.attention: batch=2, heads=3, 7 × 7"
    assert repr(capture.words()).startswith("Capture of somebody/tiny, 4 maps by word\n")
    many = Capture([capture.layers[0]] * 30)
    assert repr(many).splitlines()[0] == "Capture of a model, 30 maps by token"
    assert repr(many).splitlines()[-1] == "  … and 6 more"


def test_a_capture_of_maps_of_ones_own(tmp_path: Path) -> None:
    maps = {"mine": make_map(heads=2), "yours": make_map(queries=3)}
    capture = Capture.from_maps(maps, texts(), model="a paper")
    assert list(capture.items()) == list(maps.items())
    assert repr(capture).splitlines() == [
        "Capture of a paper, 2 maps by token",
        "  L0 mine: batch=2, heads=2, 7 × 7",
        "  L1 yours: batch=2, heads=3, 3 × 7",
    ]
    assert capture.head("L1H2") == (capture.layers[1], 2)
    assert capture.select(0).words().labels()[1] == "unhappy"
    capture.save(tmp_path / "run.safetensors")
    again = ch.open(tmp_path / "run.safetensors")
    torch.testing.assert_close(again["yours"].dense(), maps["yours"].dense())
    assert repr(Capture.from_maps({"a": make_map()})).startswith("Capture of a model, 1 map by token\n")


@pytest.mark.usefixtures("as_for_users")
def test_what_is_no_capture_of_maps() -> None:
    amap = make_map()
    for layers in ({"layer.0": amap}, [amap], (1,)):
        with pytest.raises(InputError, match=r"Capture\.from_maps\(\{name: map, …\}\)"):
            Capture(layers)  # type: ignore[arg-type]  # which is what is tried
    by_word = Capture.from_maps({"a": amap}, texts()).words()["a"]
    for maps, tokens, said in (
        ([amap], None, "maps are given by name, .*; got list"),
        ({"a": amap.dense()}, None, "by token, each with a name; 'a' is Tensor"),
        ({0: amap}, None, "0 is .*Map"),
        ({"a": by_word}, None, "by token, .* 'a' is WordMap"),
        ({"a": amap}, ["a", "cat"], "tokens are a list of one clearhead.Tokens"),
        ({"a": amap}, texts()[0], "tokens are a list of one clearhead.Tokens"),
        ({"a": amap}, texts()[:1], "a has a batch of 2, and 1 are given"),
    ):
        with pytest.raises(InputError, match=said):
            Capture.from_maps(maps, tokens)  # type: ignore[arg-type]  # which is what is tried


def test_shared_tensors_count_once(capture: Capture) -> None:
    single = capture.select(layers=1)
    assert single.nbytes == sum(x.nbytes for x in capture[PATHS[1]].tensors().values())
    twice = Capture(single.layers * 2)
    assert twice.nbytes == single.nbytes
    assert capture.words().nbytes == capture.nbytes


def test_to_another_device_keeps_weights(capture: Capture) -> None:
    moved = capture.to("cpu")
    torch.testing.assert_close(moved[PATHS[1]].dense(), capture[PATHS[1]].dense())
    assert list(moved) == list(capture)
