"""Published models, as stacks of our own parts."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from clearhead.errors import ClearheadError, InputError, ModelError, NotBuiltError
from clearhead.files import write_together
from clearhead.layers import MultiHeadAttention
from clearhead.models.files import DEFAULT_MODEL, locate, read_json, read_weights, weight_files
from clearhead.models.generation import Sampling, Token, generate, written
from clearhead.models.heads import LanguageModel, Sequence2Sequence
from clearhead.models.images import Preprocessing
from clearhead.models.pretrained import ARCHITECTURES, Architecture
from clearhead.models.pretrained.tables import Config, Head, Kept, Repeats, read_config
from clearhead.models.transformer import PatchEmbedding, VisionEncoder
from clearhead.shapes import whole_number

__all__ = ["LoadedModel", "load"]

_TOKENIZER = "tokenizer.json"
_BESIDE = (
    _TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
    "chat_template.jinja",
    "generation_config.json",
    "preprocessor_config.json",
)
"""What :meth:`LoadedModel.save` copies."""
_USUAL = 256  # new tokens, where nothing is said
_WORDS_OF_OTHERS = {
    "input_ids": "the first argument",
    "pixel_values": "the first argument",
    "decoder_input_ids": "the second argument",
    "attention_mask": "mask, booleans",
    "token_type_ids": "types",
    "output_hidden_states": "states, a list that gets them",
    "output_attentions": "clearhead.watch(model)",
    "labels": "a loss of your own on what the model gives",
}
"""What transformers calls the arguments of a model, and what they are here."""


class LoadedModel(nn.Module):
    """A published model: a network of our own parts, with its weights, configuration and tokenizer.

    It is called as its network is: ``model(ids)``. :func:`load` makes one.

    Attributes:
        name: What it was loaded as.
        network: The stack, or the stack with a head: see :mod:`clearhead.models`.
        config: Every key of its configuration that means something, defaults included.
        folder: Where its files are.

    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        *,
        architecture: Architecture,
        head: Head | None,
        config: Config,
        given: Mapping[str, Any],
        folder: Path,
        kept: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self.name, self.network, self.config, self.folder = name, network, config, folder
        self._architecture, self._head, self._given, self._kept = architecture, head, given, kept

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the network gives.

        Raises:
            InputError: An argument has the name that it has in ``transformers``.

        """
        foreign = next((name for name in options if name in _WORDS_OF_OTHERS), None)
        if foreign is not None:
            raise InputError(f"{foreign} of transformers is here: {_WORDS_OF_OTHERS[foreign]}")
        return self.network(*inputs, **options)

    @property
    def architecture(self) -> str:
        """``model_type`` of its configuration."""
        return self._architecture.name

    @property
    def published_class(self) -> str:
        """Its class in ``transformers``."""
        return str((self._given.get("architectures") or self._architecture.bare)[0])

    def published_config(self) -> dict[str, Any]:
        """What its ``config.json`` says."""
        return copy.deepcopy(dict(self._given))

    @property
    def _prefix(self) -> str:
        return "" if self._head is None else self._architecture.prefix

    @property
    def stack(self) -> Any:
        """The network without its head."""
        return self.network if self._head is None else getattr(self.network, self._head.holds)

    @property
    def is_of_pictures(self) -> bool:
        """Whether it takes pictures instead of texts."""
        return isinstance(self.stack, VisionEncoder)

    @property
    def has_tokenizer(self) -> bool:
        """Whether there is a ``tokenizer.json``."""
        return (self.folder / _TOKENIZER).is_file()

    @cached_property
    def limit(self) -> int | None:
        """The most tokens of a text, special ones included; None where there is no limit."""
        path = self.folder / "tokenizer_config.json"
        stated = read_json(path).get("model_max_length") if path.is_file() else None
        limits = (self._architecture.limit(self.config), stated)
        return min((n for n in limits if isinstance(n, int) and 0 < n < 10**9), default=None)

    @cached_property
    def tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer`` of its ``tokenizer.json``.

        Raises:
            ModelError: There is no such file, or it cannot be read.

        """
        from tokenizers import Tokenizer

        path = self.folder / _TOKENIZER
        if self.is_of_pictures:
            raise ModelError(f"{self.name} takes pictures, and no texts: see pixels()")
        if not self.has_tokenizer:
            raise ModelError(
                f"{self.name} has no {_TOKENIZER}, so texts cannot be cut into tokens: put the file there, or give ids "
                "to the model itself and to clearhead.models.generate"
            )
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # noqa: BLE001  # the library raises plain Exceptions
            raise ModelError(f"cannot read {path}: {error}") from None
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def encode(
        self, texts: str | Sequence[str], *, side: Literal["left", "right"] = "right"
    ) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]]:
        """The token ids of texts, special tokens included, and which of them there are.

        Args:
            texts: One or several.
            side: Where shorter texts are filled up: on the right for encoders, on the left for what is written on.

        Raises:
            ModelError: There is no tokenizer.
            InputError: No text at all, something else than a text, or one that is longer than the model takes.

        Example:
            >>> model = load()
            >>> ids, mask = model.encode(["Attention is all you need.", "Is it?"])
            >>> ids.shape, mask.sum(1).tolist()
            (torch.Size([2, 8]), [8, 5])

        """
        given = _texts(texts, "text")
        if side not in ("left", "right"):
            raise InputError(f"side is {side!r}; texts are filled up on the 'left' or on the 'right'")
        encoded = [encoding.ids for encoding in self.encodings(given)]
        longest = max(map(len, encoded))
        if self.limit is not None and longest > self.limit:
            raise InputError(f"the text has {longest} tokens, and {self.name} takes {self.limit} in all; shorten it")
        ids = torch.full((len(given), longest), self.config.pad_token_id or 0)
        mask = torch.zeros(len(given), longest, dtype=torch.bool)
        for row, own in enumerate(encoded):
            place = slice(0, len(own)) if side == "right" else slice(longest - len(own), None)
            ids[row, place], mask[row, place] = torch.tensor(own, dtype=torch.int64), True
        where = next(self.network.parameters()).device
        return ids.to(where), mask.to(where)

    def encodings(self, texts: Sequence[str], limit: int | None = None) -> list[Any]:
        """What ``tokenizers`` makes of texts: ids, offsets and more.

        Args:
            texts: Some.
            limit: At most so many tokens of each; the rest is cut off.

        Raises:
            ModelError: There is no tokenizer.
            InputError: A text has what the model's vocabulary has not, and no token stands for such.

        """
        if limit is not None:
            self.tokenizer.enable_truncation(limit)
        try:
            found: list[Any] = self.tokenizer.encode_batch(list(texts))
        except Exception as error:  # tokenizers has no class of its own
            if "[UNK]" not in str(error):
                raise
            unknown = sorted(set("".join(texts)) - set(self.tokenizer.get_vocab()))
            seen = ", ".join(map(repr, unknown[:8]))
            raise InputError(f"{self.name} has never seen {seen}, and has no token for what it does not know") from None
        finally:
            self.tokenizer.no_truncation()
        return found

    def pixels(self, images: Any) -> Float[Tensor, "batch channels height width"]:
        """The numbers of pictures, as ``preprocessor_config.json`` says.

        Args:
            images: A file, a ``PIL.Image``, or whole numbers from 0 to 255 ``(height, width)``,
                ``(height, width, channels)`` or ``(channels, height, width)``; or a list of such.

        Raises:
            InputError: The model takes no pictures, or this is none.
            ModelError: There is no such file, or it says something that is not known.
            MissingPackageError: Pillow is not installed.

        """
        prepare = self.preprocessing
        if isinstance(images, list) and not images:
            raise InputError("there is no picture: give one, or a list of them")
        made = [prepare(image) for image in (images if isinstance(images, list) else [images])]
        first = next(self.network.parameters())
        return torch.stack(made).to(first)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """What pictures go through: that of its ``preprocessor_config.json``.

        Raises:
            InputError: The model takes no pictures.
            ModelError: There is no such file, or it says something that is not known.

        """
        if not self.is_of_pictures:
            raise InputError(f"{self.name} takes no pictures: it is a {self.published_class}")
        embedding: PatchEmbedding = self.stack.embedding
        path = self.folder / "preprocessor_config.json"
        if not path.is_file():
            raise ModelError(
                f"{self.name} has no {path.name}, so it is not known how pictures are prepared; give pixels, or put "
                "the file there"
            )
        return Preprocessing(read_json(path), embedding.channels, embedding.image, str(path))

    def attention_names(self) -> dict[nn.Module, str]:
        """The attention layers, and the paths that they have in the published model."""
        return {
            module: self._architecture.attention_path(path)
            for path, module in self.stack.named_modules()
            if isinstance(module, MultiHeadAttention)
        }

    @cached_property
    def ends(self) -> set[int]:
        """The tokens with which a text ends, of ``generation_config.json`` or of the configuration."""
        path = self.folder / "generation_config.json"
        given = read_json(path).get("eos_token_id") if path.is_file() else None
        ids = self.config.eos_token_id if given is None else given
        return set() if ids is None else {ids} if isinstance(ids, int) else set(ids)

    def generate(
        self,
        prompt: str | Sequence[str],
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
    ) -> Iterator[Any]:
        """Write on, token by token.

        Greedy, the likeliest token every time, unless ``temperature``, ``top_k`` or ``top_p`` is given: see
        :class:`~clearhead.models.Sampling`. Several prompts are one batch. A text ends with the model's end token, with
        a ``stop`` text, or after ``max_new_tokens``.

        Args:
            prompt: A text, or several.
            max_new_tokens: At most as many as the model takes after the longest prompt; by default that, or 256 if that
                is more.
            temperature: Above 0.
            top_k: How many tokens to draw from.
            top_p: Above 0 and at most 1.
            repetition_penalty: Above 0; 1 changes nothing.
            stop: Texts at which to end; they are not given out, nor is what comes after them.
            seed: Draws the same again; by default PyTorch's own random numbers are used.

        Yields:
            :class:`~clearhead.models.Token`; for several prompts tuples of them, None for texts that have ended.

        Raises:
            InputError: The model writes no text, the prompt is empty or longer than the model takes, or a setting that
                is out of bounds.
            NotFiniteError: The model's logits are NaN.

        Example:
            >>> model = ch.load("gpt2")  # doctest: +SKIP
            >>> for token in model.generate("Attention is", max_new_tokens=20):  # doctest: +SKIP
            ...     print(token.text, end="", flush=True)

        """
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=repetition_penalty)
        texts = _texts(prompt, "prompt")
        stops = _texts(stop, "stop") if isinstance(stop, str) or stop else []
        if "" in stops:
            raise InputError("a stop is empty: every text has that in it; leave it out")
        if not (seed is None or type(seed) is int):
            raise InputError(f"seed is {seed!r}, and a whole number is wanted")
        steps = self._steps(texts, max_new_tokens, sampling, stops, seed)
        return (step[0] for step in steps) if isinstance(prompt, str) else steps

    def _steps(
        self, texts: list[str], most: int | None, sampling: Sampling, stops: list[str], seed: int | None
    ) -> Iterator[tuple[Token | None, ...]]:
        network = getattr(self.network, "_orig_mod", self.network)  # of a network that torch.compile wrapped
        if not isinstance(network, LanguageModel | Sequence2Sequence):
            raise InputError(f"{self.name} writes no text: it is a {self.published_class}, without a language head")
        if not all(texts):
            raise InputError("the prompt is empty: there is nothing to go on from")
        if most is not None:
            whole_number("max_new_tokens", most)
        answers = isinstance(network, Sequence2Sequence)
        ids, mask = self.encode(texts, side="right" if answers else "left")
        longest = ids.shape[1]
        if not bool(mask.any(1).all()):
            nothing = texts[mask.any(1).tolist().index(False)]
            raise InputError(f"the tokenizer of {self.name} makes no token of the prompt {nothing!r}")
        room = None if self.limit is None else self.limit - (0 if answers else longest)
        if room is not None and room < 1:
            raise InputError(f"the prompt has {longest} tokens, all that {self.name} takes; shorten it")
        if room is not None and most is not None and most > room:
            raise InputError(
                f"max_new_tokens is {most}, and after {longest} tokens of prompt {self.name} takes {room} more"
            )
        if most is None:
            most = _USUAL if room is None else min(_USUAL, room)
        generator = None if seed is None else torch.Generator(ids.device).manual_seed(seed)
        found = generate(
            network,
            ids,
            mask=mask,
            max_new_tokens=most,
            sampling=sampling,
            ends=self.ends,
            start=self.config.decoder_start_token_id or 0,
            generator=generator,
        )
        prompts = [[] if answers else own[there].tolist() for own, there in zip(ids, mask, strict=True)]
        return written(found, self.tokenizer, prompts, most=most, ends=self.ends, stops=stops)

    def named_as_published(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The weights, and what they are called in published files; of several in one, each by that one's name."""
        for name, parameter in self.network.named_parameters():
            yield self._architecture.place(self._head, name, self._prefix).name, parameter

    def save(self, path: str | Path) -> None:
        """Write a folder that :func:`load` and ``transformers`` read: configuration, weights, tokenizer.

        Files of these names that are in the folder are replaced, all of them or none.

        Raises:
            InputError: The folder cannot be made or written.

        """
        folder = Path(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}") from None
        tensors = self._published()
        beside = [name for name in _BESIDE if (self.folder / name).is_file()]
        same = folder.resolve() == self.folder.resolve()
        files = [(folder / name, _copying(self.folder / name)) for name in beside if not same]
        given = dict(self._given)  # of what the weights are now
        given["torch_dtype" if "torch_dtype" in given else "dtype"] = str(self._dtype).removeprefix("torch.")
        text = json.dumps(given, indent=2, ensure_ascii=False) + "\n"
        files.append((folder / "config.json", lambda part: Path(part).write_text(text, encoding="utf-8")))
        files.append((folder / "model.safetensors", lambda part: save_file(tensors, part, {"format": "pt"})))
        write_together(files)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def __deepcopy__(self, memo: dict[int, Any]) -> LoadedModel:
        """A copy of what it is now, also where parts of the network were replaced."""
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made

    def __reduce__(self) -> Any:
        """What is pickled is where the model's folder is, and the weights."""
        options = {"head": self._head is not None, "dtype": self._dtype}
        return _loaded_again, (str(self.folder), self.name, options, self.state_dict(), self.training)

    def _published(self) -> dict[str, Tensor]:
        """The weights by published names."""
        found = {name: x.to(self._dtype) for name, x in self._kept.items()}
        prefix = self._prefix
        for name, tensor in self.network.state_dict().items():
            part = self._architecture.place(self._head, name, prefix)
            if part.name not in found:
                found[part.name] = tensor.new_empty(part.shape(tuple(tensor.shape)))
            part.put(found[part.name], tensor)
        return found


def load(
    name: str | Path = DEFAULT_MODEL,
    *,
    head: bool = True,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> LoadedModel:
    """A published model with its weights, ready to be called: BERT, RoBERTa, GPT-2, T5, ViT or Llama.

    Weights in safetensors files are memory-mapped: nothing is read before it is used, and what is changed is a copy.
    Every key of the configuration and every weight is accounted for.

    Args:
        name: A model id of the Hugging Face hub, or a folder with ``config.json``, weights (``model.safetensors`` or
            ``pytorch_model.bin``, whole or in shards) and ``tokenizer.json``.
        head: Whether to build the head that the configuration names; else the stack alone.
        dtype: What the weights are to be; as they are in the file if it is not given.
        device: Where they are to be.

    Returns:
        The model in ``eval()`` mode.

    Raises:
        NotBuiltError: Its architecture, or a key of its configuration, is not known here.
        ModelError: There is no such model, or weights are missing, left over, of another shape, truncated or altered.
            The message names them.
        InputError: No such dtype or device.

    Example:
        >>> import torch, clearhead as ch
        >>> model = ch.load("sentence-transformers/all-MiniLM-L6-v2")
        >>> ids = torch.tensor([model.tokenizer.encode("Attention is all you need.").ids])
        >>> with torch.no_grad():
        ...     model(ids).shape
        torch.Size([1, 8, 384])

    """
    if dtype is not None and not getattr(dtype, "is_floating_point", False):  # "bfloat16" is none either
        raise InputError(f"dtype is {dtype!r}; weights are of a floating point dtype, such as torch.bfloat16")
    name, folder = str(name), locate(str(name))
    where = folder / "config.json"
    given = read_json(where)
    architecture = find_architecture(given, where)
    config = read_config(architecture, given, str(where))
    own = find_head(architecture, given, where) if head else None
    if own is None:
        given["architectures"] = [architecture.bare[0]]
    tensors = _renamed(read_weights(weight_files(folder)), architecture)
    prefix = architecture.prefix if any(x.startswith(architecture.prefix) for x in tensors) else ""
    kind = f"{architecture.name} in {folder}"
    apart = own is not None and _is_apart(own, config, prefix, tensors)
    try:
        with torch.device("meta"), _Blank():
            network = architecture.build(config)
            if own is not None:
                network = own.build(config, network, apart)
    except NotBuiltError as error:
        raise NotBuiltError(f"{where}: {error}") from None
    except (ClearheadError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{where} describes no model: {error}") from None
    state, used = _state(network, architecture, own, prefix, tensors, kind)
    kept = _leftover(tensors, used, architecture, own, prefix, kind, head_wanted=head)
    network.load_state_dict(state, assign=True)
    model = LoadedModel(
        name,
        network,
        architecture=architecture,
        head=own,
        config=config,
        given=given,
        folder=folder,
        kept=kept,
    )
    try:
        return model.to(device=device, dtype=dtype).eval()
    except (RuntimeError, AssertionError) as error:  # how PyTorch says that there is no such device
        reason = " ".join(str(error).split("\n", 1)[0].split())
        raise InputError(f"cannot move {name} to the device {device!r}: {reason}") from None


def _loaded_again(
    folder: str, name: str, options: dict[str, Any], state: dict[str, Tensor], training: bool
) -> LoadedModel:
    model = load(folder, **options)
    model.load_state_dict(state)
    model.name = name
    return model.train(training)


def _texts(given: str | Sequence[str], what: str) -> list[str]:
    """One text or several as a list."""
    texts: list[Any] = (
        [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else [given]
    )
    if not texts:
        raise InputError(f"the {what} is empty: give a text, or a list of them")
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"a {what} is a str, or a list of them; got {text!r:.60}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"the {what} is not Unicode: {error}") from None
    return texts


class _Blank(TorchFunctionMode):
    """Leaves parameters as they are made: on the meta device, drawing their numbers would import torch's compiler."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):  # in place: an initialisation
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def find_architecture(given: Mapping[str, Any], where: Path) -> Architecture:
    kind = given.get("model_type")
    for architecture in ARCHITECTURES:
        if architecture.name == kind and architecture.applies(given):
            return architecture
    known = ", ".join(dict.fromkeys(x.name for x in ARCHITECTURES))
    raise NotBuiltError(
        f"{where} says model_type {kind!r}, which is not built here; there are {known}. clearhead.load_pretrained asks "
        "transformers, and clearhead.watch sees any model"
    )


def find_head(architecture: Architecture, given: Mapping[str, Any], where: Path) -> Head | None:
    names = given.get("architectures") or architecture.bare
    if not isinstance(names, list | tuple) or not isinstance(names[0], str):
        raise ModelError(f"{where} has architectures = {names!r}, and a list of names is wanted")
    if names[0] in architecture.bare:
        return None
    if names[0] not in architecture.heads:
        known = ", ".join([*architecture.bare, *architecture.heads])
        raise NotBuiltError(
            f"{where} says {names[0]}, which is not built here; there are {known}. load(…, head=False) gives the stack "
            "without its head"
        )
    return architecture.heads[names[0]]


def _renamed(tensors: dict[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """With today's names, where older files have others."""

    def now(name: str) -> str:
        for old, new in architecture.renamed.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    return {now(name): tensor for name, tensor in tensors.items()}


def _state(
    network: nn.Module,
    architecture: Architecture,
    head: Head | None,
    prefix: str,
    tensors: Mapping[str, Tensor],
    kind: str,
) -> tuple[dict[str, Tensor], set[str]]:
    """What the network is to hold, as views of the published weights, and the names of these."""
    found: dict[str, Tensor] = {}
    used: set[str] = set()
    missing: list[str] = []
    for name, ours in network.state_dict().items():
        part = architecture.place(head, name, prefix)
        if part.name not in tensors:
            missing += [part.name] if part.name not in missing else []
            continue
        tensor, shape = tensors[part.name], part.shape(tuple(ours.shape))
        if tuple(tensor.shape) != shape:
            raise ModelError(
                f"{part.name} of {kind} is {tuple(tensor.shape)}, and its configuration makes it {shape}: the "
                "configuration and the weights are of two models"
            )
        if not tensor.is_floating_point():
            raise ModelError(f"{part.name} of {kind} is {tensor.dtype}; quantized weights are not read here")
        found[name] = part.take(tensor)
        used.add(part.name)
    if missing:
        raise ModelError(f"{kind} lacks {_some(missing)}; with random numbers in its place it would be another model")
    return found, used


def _is_apart(head: Head, config: Config, prefix: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a head's matrix is not the embedding's: the configuration says so, or the file has another one."""
    again = [(tensors[name], row) for name, row in head.weights.items() if isinstance(row, Repeats) and name in tensors]
    different = any(not torch.equal(tensor, _repeated(row, prefix, tensors)) for tensor, row in again)
    return different or not config.tie_word_embeddings


def _repeated(row: Repeats, prefix: str, tensors: Mapping[str, Tensor]) -> Tensor:
    found = tensors.get(row.of, tensors.get(prefix + row.of))
    if found is None:
        raise ModelError(f"the weights lack {prefix}{row.of}")
    return found


def _leftover(
    tensors: Mapping[str, Tensor],
    used: set[str],
    architecture: Architecture,
    head: Head | None,
    prefix: str,
    kind: str,
    *,
    head_wanted: bool,
) -> dict[str, Tensor]:
    """The weights that are not used and written again when the model is saved.

    Raises:
        ModelError: There are others, which nothing is known of.

    """
    kept: dict[str, Tensor] = {}
    unknown: list[str] = []
    for name in tensors.keys() - used:
        reason = architecture.ignored(head, name, prefix)
        if isinstance(reason, Kept):
            kept[name if head is not None else name.removeprefix(prefix)] = tensors[name]
        elif isinstance(reason, Repeats):
            if not torch.equal(tensors[name], _repeated(reason, prefix, tensors)):
                raise ModelError(f"{name} of {kind} is not equal to {reason.of}, and has to be: {reason.reason}")
        elif reason is None:
            unknown += [name] if head_wanted or not architecture.is_of_a_head(name, prefix) else []
    if unknown:
        raise ModelError(f"{kind} has {_some(sorted(unknown))}, which nothing here uses: it is another model")
    return kept


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _copying(source: Path) -> Any:
    return lambda part: shutil.copyfile(source, part)
