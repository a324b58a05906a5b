"""Stacks against PyTorch's own, in training and out of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from plain import printed
from torch import Tensor, nn

from clearhead.errors import InputError, ShapeError
from clearhead.layers import FeedForward, GrowingCache, MultiHeadAttention
from clearhead.masks import Causal, Padding
from clearhead.models import (
    Block,
    Decoder,
    Embedding,
    Encoder,
    EncoderDecoder,
    LanguageModel,
    PatchEmbedding,
    VisionEncoder,
    original_transformer,
)
from clearhead.positions import ALiBi, Learned, Rotary

DIM, HEADS, HIDDEN, WORDS = 12, 3, 29, 31


def copy_attention(theirs: nn.MultiheadAttention, ours: MultiHeadAttention) -> None:
    theirs.load_state_dict(ours.to_torch().state_dict())


def copy_block(theirs: nn.Module, ours: Block) -> None:
    """Our weights into a layer of ``torch.nn``."""
    copy_attention(theirs.self_attn, ours.attention)
    norms = [ours.attention_norm]
    if ours.cross_attention is not None:
        copy_attention(theirs.multihead_attn, ours.cross_attention)
        norms.append(ours.cross_attention_norm)
    for number, norm in enumerate([*norms, ours.feed_forward_norm], 1):
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.up.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.down.state_dict())


def shake(model: nn.Module) -> None:
    """Norms and biases that do something."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)


@pytest.mark.parametrize("training", [False, True])
def test_the_original_is_torchs_transformer(training: bool) -> None:
    ours = original_transformer(WORDS, dim=DIM, heads=HEADS, blocks=2, hidden=HIDDEN, dropout=0.0).double()
    shake(ours)
    layer = {"nhead": HEADS, "dim_feedforward": HIDDEN, "dropout": 0.0, "batch_first": True, "dtype": torch.float64}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(DIM, **layer), 2, enable_nested_tensor=False)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(DIM, **layer), 2)
    for stack, own in ((encoder, ours.model.encoder), (decoder, ours.model.decoder)):
        for theirs, block in zip(stack.layers, own.blocks, strict=True):
            copy_block(theirs, block)
    modules = nn.ModuleList([ours, encoder, decoder]).train(training)
    ids, target = torch.randint(WORDS, (2, 7)), torch.randint(WORDS, (2, 5))
    there = torch.arange(7) < torch.tensor([[7], [4]])
    words = ours.model.encoder.embedding.tokens.weight
    x, y = (words[given] * DIM**0.5 + code(given.shape[1]) for given in (ids, target))
    context = encoder(x, src_key_padding_mask=~there)
    triangle = torch.ones(5, 5, dtype=torch.bool).triu(1)
    wanted = decoder(y, context, tgt_mask=triangle, memory_key_padding_mask=~there) @ words.T
    found = ours(ids, target, mask=there)
    torch.testing.assert_close(found, wanted)
    if training:
        loss = torch.randn_like(wanted)
        parameters = list(ours.parameters())
        (found * loss).sum().backward()
        own = words.grad
        for parameter in parameters:
            parameter.grad = None
        (wanted * loss).sum().backward()
        # The tied matrix has a gradient of both embeddings and the head.
        torch.testing.assert_close(own, words.grad)
    assert modules.training == training


def code(tokens: int) -> Tensor:
    """Sinusoidal positions by their definition."""
    angle = torch.arange(tokens)[:, None] / 10000.0 ** (torch.arange(0, DIM, 2).double() / DIM)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def block(**options: object) -> Block:
    norm_first = bool(options.pop("norm_first", True))
    return Block(
        MultiHeadAttention(DIM, HEADS, **options),
        FeedForward(DIM, HIDDEN),
        lambda: nn.LayerNorm(DIM),
        norm_first=norm_first,
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_block_is_torchs(norm_first: bool) -> None:
    ours = block(norm_first=norm_first).double().eval()
    shake(ours)
    theirs = nn.TransformerEncoderLayer(
        DIM, HEADS, HIDDEN, 0.0, "gelu", batch_first=True, norm_first=norm_first, dtype=torch.float64
    ).eval()
    copy_block(theirs, ours)
    x = torch.randn(2, 7, DIM, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x))


def decoder(**options: object) -> Decoder:
    embedding = Embedding(WORDS, DIM, position=None if options else Learned(17, DIM), types=0)
    return Decoder(embedding, [block(**options) for _ in range(2)], norm=nn.LayerNorm(DIM))


@pytest.mark.parametrize("kind", ["learned", "rotary", "alibi"])
def test_a_decoder_looks_back_only_and_goes_on_with_caches(kind: str) -> None:
    options = {"learned": {}, "rotary": {"position": Rotary()}, "alibi": {"position": ALiBi(HEADS)}}[kind]
    model = LanguageModel(decoder(**options)).double().eval()
    ids = torch.randint(WORDS, (2, 11))
    with torch.no_grad():
        whole = model(ids)
        changed = ids.clone()
        changed[:, 6:] = 0
        torch.testing.assert_close(model(changed)[:, :6], whole[:, :6])
        caches = [GrowingCache() for _ in model.decoder.blocks]
        parts = [model(part, caches=caches) for part in ids.split([4, 1, 5, 1], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    torch.testing.assert_close(model(ids, last=True), whole[:, -1:])


def test_masks() -> None:
    model = Encoder(Embedding(WORDS, DIM, position=Learned(17, DIM)), [block() for _ in range(2)]).double().eval()
    ids = torch.randint(WORDS, (2, 7))
    there = torch.arange(7) < torch.tensor([[7], [4]])
    found = model(ids, mask=there)
    torch.testing.assert_close(found, model(ids, mask=Padding(there)))
    torch.testing.assert_close(found[1, :4], model(ids[1:, :4])[0])
    assert not torch.allclose(found, model(ids, mask=Causal()))
    with pytest.raises(InputError, match=r"booleans \(batch, tokens\), True = there is a token; got torch\.int64"):
        model(ids, mask=there.long())


def test_checkpoints_give_the_same_gradients() -> None:
    model = LanguageModel(decoder()).double()
    ids = torch.randint(WORDS, (2, 7))
    found = []
    for checkpoints in (False, True):
        model.decoder.checkpoints = checkpoints
        model.zero_grad()
        model(ids).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


COMPILED = """
import torch
from test_transformer import decoder, vision
from clearhead.models import LanguageModel, original_transformer
from clearhead.positions import Rotary

torch.manual_seed(0)
ids = torch.randint(31, (2, 7))
small = original_transformer(31, dim=12, heads=3, blocks=2, hidden=29)
cases = [  # one by the whole compiler, which takes its time
    (LanguageModel(decoder(position=Rotary())), (ids,), "inductor"),
    (small, (ids, ids[:, :5]), "aot_eager"),
    (vision(), (torch.randn(2, 3, 6, 8),), "aot_eager"),
]
for model, given, backend in cases:
    model.eval()
    with torch.no_grad():
        found = torch.compile(model, fullgraph=True, backend=backend)(*given)
        torch.testing.assert_close(found, model(*given), rtol=1e-4, atol=1e-5)
print("done")
"""


def test_stacks_compile_to_one_graph() -> None:
    found_in = [str(Path(__file__).parent), *sys.path]
    assert printed(f"import sys; sys.path[:] = {found_in}\n{COMPILED}") == "done\n"


def test_half_precision() -> None:
    model = LanguageModel(decoder(position=Rotary())).eval()
    ids = torch.randint(WORDS, (2, 7))
    wanted = model(ids)
    assert model.bfloat16()(ids).dtype == torch.bfloat16
    torch.testing.assert_close(model(ids).float(), wanted, rtol=0.1, atol=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model.float()(ids).float(), wanted, rtol=0.1, atol=0.1)


def vision() -> VisionEncoder:
    return VisionEncoder(PatchEmbedding((6, 8), (3, 2), 3, DIM), [block() for _ in range(2)], norm=nn.LayerNorm(DIM))


def test_patches_row_by_row() -> None:
    embedding = PatchEmbedding((6, 8), (3, 2), 3, DIM)
    with torch.no_grad():
        embedding.position.zero_()
        embedding.first.fill_(2.0)
    pixels = torch.randn(2, 3, 6, 8)
    found = embedding(pixels)
    assert found.shape == (2, 1 + 2 * 4, DIM)
    assert bool((found[:, 0] == 2).all())
    patch = pixels[1, :, 3:6, 2:4]  # the second row's second patch is number 5
    wanted = (embedding.patches.weight * patch).sum((1, 2, 3)) + embedding.patches.bias
    torch.testing.assert_close(found[1, 1 + 5], wanted)
    with pytest.raises(ShapeError, match=r"images are \(batch, 3, 6, 8\); got \(2, 3, 8, 6\)"):
        embedding(pixels.mT)
    with pytest.raises(ShapeError, match="patches of 4 × 2 pixels do not fill an image of 6 × 8"):
        PatchEmbedding((6, 8), (4, 2), 3, DIM)


def test_parts_that_do_not_fit() -> None:
    stack = Encoder(Embedding(WORDS, DIM), [block()])
    with pytest.raises(InputError, match="a block of the decoder has no cross-attention"):
        EncoderDecoder(stack, decoder())
    with pytest.raises(InputError, match="there is no activation 'swoosh'; there are relu, gelu"):
        FeedForward(DIM, HIDDEN, activation="swoosh")


def test_what_attends_to_another_text_is_given_one() -> None:
    def block() -> Block:
        cross = MultiHeadAttention(8, 2)
        return Block(MultiHeadAttention(8, 2), FeedForward(8, 11), lambda: nn.LayerNorm(8), cross_attention=cross)

    decoder = Decoder(Embedding(13, 8), [block()])
    with pytest.raises(InputError, match="call it with context"):
        decoder(torch.ones(1, 3, dtype=torch.long))


def test_a_norm_is_not_shared(as_for_users: None) -> None:
    with pytest.raises(InputError, match=r"norm=lambda: nn\.LayerNorm\(dim\)"):
        Block(MultiHeadAttention(8, 2), FeedForward(8, 11), nn.LayerNorm(8))


def test_checkpoints_of_an_encoder_decoder_are_of_both() -> None:
    model = original_transformer(13, dim=8, heads=2, blocks=1, hidden=11)
    model.model.checkpoints = True
    assert model.model.encoder.checkpoints
    assert model.model.decoder.checkpoints
    assert model.model.checkpoints
    with pytest.raises(InputError, match="blocks"):
        original_transformer(13, blocks=0)
