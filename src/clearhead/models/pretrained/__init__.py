"""The published architectures: a catalogue of files with two tables each."""

from clearhead.models.pretrained.bart import BART
from clearhead.models.pretrained.bert import BERT
from clearhead.models.pretrained.gpt2 import GPT2
from clearhead.models.pretrained.llama import LLAMA
from clearhead.models.pretrained.roberta import ROBERTA
from clearhead.models.pretrained.t5 import T5, T5_GATED
from clearhead.models.pretrained.tables import Architecture
from clearhead.models.pretrained.vit import VIT

__all__ = ["ARCHITECTURES", "Architecture"]

ARCHITECTURES = (BERT, ROBERTA, GPT2, T5, T5_GATED, BART, VIT, LLAMA)
