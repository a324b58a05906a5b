"""What stands in a picture of positions."""

import jaxtyping
import numpy as np
import pytest
import torch

from clearhead.errors import InputError
from clearhead.positions import ALiBi, Learned, RelativeBias, Rotary, Sinusoidal, YaRNScaling
from clearhead.views.positions import plot_position


def shown(axes: object) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def test_codes_are_heatmaps_of_position_by_number() -> None:
    code = Sinusoidal(14)
    figure = plot_position(code, length=11)
    axes, bar = figure.axes
    np.testing.assert_allclose(shown(axes), code(torch.arange(11)).numpy())
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == (
        "number in the code", "position (tokens)", "value"
    )  # fmt: skip
    assert axes.get_title(loc="left") == "Sinusoidal(14, base=10000)"


def test_a_learned_code_ends_where_its_table_does() -> None:
    code = Learned(7, 5)
    image = plot_position(code, length=11).axes[0].images[0]
    np.testing.assert_allclose(np.asarray(image.get_array()), code.table.detach().numpy())
    assert image.norm.vmax == -image.norm.vmin == pytest.approx(code.table.detach().abs().max().item())


def test_rotary_shows_angles_and_how_what_is_alike_falls_off() -> None:
    figure = plot_position(Rotary(base=100.0), length=13, head_dim=10)
    heat, line, _ = figure.axes
    frequencies = 100.0 ** (-np.arange(5) / 5)
    expected = np.cos(np.arange(13)[:, None] * frequencies)
    np.testing.assert_allclose(shown(heat), expected, atol=1e-5)
    np.testing.assert_allclose(line.lines[1].get_ydata(), expected.mean(1), atol=1e-5)
    assert line.get_xlabel() == "distance (tokens)"
    assert figure.get_suptitle().endswith("head_dim=10")
    assert plot_position(Rotary(dim=100), length=5).get_suptitle().endswith("head_dim=100")
    scaled = plot_position(Rotary(scaling=YaRNScaling(4.0, 64)), length=5)
    assert scaled.axes[1].lines[1].get_ydata()[0] == pytest.approx(YaRNScaling(4.0, 64).amplitude ** 2)


def test_alibi_has_a_line_for_each_head() -> None:
    axes = plot_position(ALiBi(3), length=5).axes[0]
    lines = axes.lines[1:]
    assert [line.get_label() for line in lines] == ["head 0", "head 1", "head 2"]
    for line, slope in zip(lines, [2**-4, 2**-8, 2**-2], strict=True):
        assert line.get_xdata().tolist() == [-4, -3, -2, -1, 0]
        np.testing.assert_allclose(line.get_ydata(), slope * np.arange(-4, 1))
    many = plot_position(ALiBi(40, symmetric=True), length=5).axes[0]
    assert len(many.lines) == 41
    assert many.lines[1].get_xdata().tolist() == list(range(-4, 5))
    assert len(many.get_legend().get_texts()) == 10


@pytest.mark.parametrize("bidirectional", [True, False])
def test_other_biases_are_heatmaps_of_head_by_distance(bidirectional: bool) -> None:
    bias = RelativeBias(3, buckets=8, furthest=9, bidirectional=bidirectional)
    axes, bar = plot_position(bias, length=11).axes
    keys = torch.arange(-10, 11 if bidirectional else 1)
    np.testing.assert_allclose(shown(axes), bias.tile(torch.tensor([0]), keys)[0, :, 0].detach().numpy())
    assert axes.images[0].get_extent() == [-10.5, 10.5 if bidirectional else 0.5, 2.5, -0.5]
    assert (axes.get_ylabel(), bar.get_ylabel()) == ("head", "bias (added to the score)")


def test_what_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="length is a whole number of at least 2; got 1"):
        plot_position(ALiBi(2), length=1)
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as for users
    with pytest.raises(InputError, match="a Linear is no position that can be drawn"):
        plot_position(torch.nn.Linear(2, 3))
