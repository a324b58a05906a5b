"""Every part in one graph, without the shape checks that only tests have."""

from plain import printed

SCRIPT = """
import torch
from clearhead.positions import *

torch.manual_seed(0)
x, positions = torch.randn(2, 3, 7, 10), torch.arange(7)
query, key = torch.arange(6, 13), torch.arange(13)
scalings = [None, LinearScaling(2.0), NTKScaling(2.0), NTKScaling(2.0, 5), YaRNScaling(2.0, 64),
            Llama3Scaling(8.0, 1.0, 4.0, 64)]
rotaries = [Rotary(scaling=scaling) for scaling in scalings]
rotaries += [Rotary(pairing="adjacent"), Rotary(pairing="adjacent", dim=4)]
calls = [(rotary.rotate, (x, positions)) for rotary in rotaries]
calls += [(bias.tile, (query, key))
          for bias in (ALiBi(3), ALiBi(5, symmetric=True), RelativeBias(3), RelativeBias(3).select_heads([2, 0]))]
calls += [(code, (positions,)) for code in (Sinusoidal(6), Learned(7, 5))]
for call, arguments in calls:
    compiled = torch.compile(call, fullgraph=True, backend="eager", dynamic=True)
    assert torch.equal(compiled(*arguments), call(*arguments)), call


class Turned(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rotary, self.bias = Rotary(dim=4), ALiBi(3)

    def forward(self, x, positions):
        turned = self.rotary.rotate(x, positions)
        return turned @ turned.mT + self.bias.tile(positions, positions)


exported = torch.export.export(Turned(), (x, positions)).module()
assert torch.equal(exported(x, positions), Turned()(x, positions))
print(len(calls), "compiled")
"""


def test_each_part_compiles_to_one_graph_and_is_exported() -> None:
    assert printed(SCRIPT) == "14 compiled\n"
