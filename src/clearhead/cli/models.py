"""``clearhead generate`` and ``clearhead models``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clearhead.cli.shared import busy, text_of

__all__ = ["generate", "models"]


def generate(
    model: Annotated[str, typer.Option("--model", metavar="ID|PATH", help="A model id or folder.")],
    prompt: Annotated[str | None, typer.Argument(help="The text to go on from; or use --file.")] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="F|-", help="Read the prompt from a file, or -.")
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-new-tokens", min=1, help="At most so many tokens. [default: 256, or what there is room for]"
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Draw at random; below 1 likely tokens get likelier.")
    ] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Draw from so many of the likeliest tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Draw from the likeliest tokens that sum to this probability.")
    ] = None,
    repetition_penalty: Annotated[
        float, typer.Option("--repetition-penalty", help="Above 1, tokens that are there already get rarer.")
    ] = 1.0,
    stop: Annotated[list[str] | None, typer.Option("--stop", help="End at this text (repeatable).")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Draw the same again.")] = None,
) -> None:
    """Write on from PROMPT with a language model, as it is written."""
    given = text_of(prompt, file)
    with busy("Loading the model …"):
        from clearhead.models import Sequence2Sequence, load

        loaded = load(model)
        steps = loaded.generate(
            given,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            stop=stop or (),
            seed=seed,
        )
    try:
        if not isinstance(loaded.network, Sequence2Sequence):  # which answers, and does not go on
            typer.echo(given, nl=False)
        for token in steps:
            typer.echo(token.text, nl=False)
            sys.stdout.flush()
        typer.echo()
    except KeyboardInterrupt:
        typer.echo()  # what was written stays
        raise
    except BrokenPipeError:  # the reader has seen enough
        sys.stdout = None
        sys.exit(0)


def models() -> None:
    """List the architectures that can be loaded, and the models of them that are on this computer."""
    from rich.console import Console
    from rich.table import Table

    from clearhead.models.catalogue import families, local_models

    table = Table("architecture", "classes", "source", box=None, pad_edge=False, header_style="bold")
    for family in families():
        table.add_row(family.name, "\n".join(family.classes), family.source)
    console = Console()
    console.print(table, highlight=False)
    found = local_models()
    console.print()
    console.print("On this computer:" if found else "None of them is in the hub's cache on this computer.")
    for model in found:
        console.print(f"  {model.name}  ({model.family})", highlight=False)
