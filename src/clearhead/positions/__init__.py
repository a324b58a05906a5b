"""Where tokens stand: codes added to embeddings, rotations of q and k, biases of the scores.

A position is a token's number, from 0; with a cache, query i stands at i + keys − queries. What a part touches says
which kind it is: :class:`Sinusoidal` and :class:`Learned` are called with positions and give codes to be added to the
embeddings; :class:`Rotary` has ``rotate`` for q and k; a :class:`Bias` has ``tile`` and ``points`` and is added to the
scores.
"""

from clearhead.positions.absolute import Learned, Sinusoidal
from clearhead.positions.alibi import ALiBi
from clearhead.positions.base import Bias
from clearhead.positions.relative import RelativeBias
from clearhead.positions.rotary import Rotary
from clearhead.positions.scaling import LinearScaling, Llama3Scaling, NTKScaling, RotaryScaling, YaRNScaling

__all__ = [
    "ALiBi",
    "Bias",
    "Learned",
    "LinearScaling",
    "Llama3Scaling",
    "NTKScaling",
    "RelativeBias",
    "Rotary",
    "RotaryScaling",
    "Sinusoidal",
    "YaRNScaling",
]
