"""Linear attention: weights φ(q)·φ(k), so that keys and values are summed once and not once a query."""

from __future__ import annotations

from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks import Mask
from clearhead.mechanisms.feature_maps import FeatureMap
from clearhead.mechanisms.linear_request import LinearState, prepare_linear
from clearhead.mechanisms.recurrence import one_step

__all__ = ["LinearState", "linear_attention", "linear_prefill", "linear_step"]


def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: str | FeatureMap = "elu",
    causal: bool = False,
    mask: Mask | Tensor | None = None,
    scale: float | int | None = None,
    decay: float | int | Tensor | None = None,
    update_rate: float | int | Tensor | None = None,
    normalize: bool | None = None,
) -> Tensor:
    """``out_i = φ(q_i)·S_i / (φ(q_i)·z_i)``, ``S_i = Σ_j φ(k_j)·v_jᵀ``, ``z_i = Σ_j φ(k_j)``, in time linear in tokens.

    The sums are over all keys, or with ``causal`` over those up to the query's own (Katharopoulos et al. 2020,
    arXiv:2006.16236). It computes in float32 at least. A query whose weights sum to 0 gives 0. Time and memory grow
    with the number of tokens, also backward, and gradients of gradients exist; but not by ``torch.func.grad`` and its
    kin, which know no checkpoints, and the causal form has them. :func:`clearhead.linear_attend` returns the map of
    weights as well; :func:`clearhead.linear_prefill` the state, from which :func:`clearhead.linear_step` goes on.

    Args:
        q: ``(…, heads, queries, head_dim)``; any axes before, or none: ``(queries, head_dim)`` is one head.
        k: ``(…, kv_heads, keys, head_dim)``; query head h uses key head ``h // (heads // kv_heads)``.
        v: ``(…, kv_heads, keys, value_dim)``.
        feature_map: φ: ``"elu"`` (elu + 1), ``"relu"``, ``"none"`` (the plain scale · q·k), or a :class:`FeatureMap`
            such as :class:`~clearhead.PositiveRandomFeatures`, which stands in for the softmax.
        causal: Whether query i, standing at key i + keys − queries, sees the keys up to that one only, as under
            ``ch.Causal()``.
        mask: Which keys are there: ``ch.Padding(…)``, or booleans ``(keys,)`` or ``(batch, 1, 1, keys)``, True = there.
            A token that is not there neither adds to the state nor lets it decay, whatever its k and v are: also NaN.
        scale: q is multiplied by it before φ; q and k by its root for random features. By default 1 for ``elu`` and
            ``relu``, else ``1/√head_dim``.
        decay: ``S_i = decay_i · S_{i−1} + φ(k_i)·v_iᵀ``, and z likewise; in (0, 1], causal only. A number; one a head,
            ``(kv_heads,)`` (RetNet, Sun et al. 2023, arXiv:2307.08621); one a token, ``(…, kv_heads, keys)``; or one a
            token and feature, ``(…, kv_heads, keys, features)`` (Yang et al. 2023, arXiv:2312.06635).
        update_rate: β of the delta rule: a key's old value is replaced by the share β,
            ``S_i = S' + β_i · φ(k_i)·(v_i − S'ᵀφ(k_i))ᵀ`` with ``S' = decay_i · S_{i−1}`` (Schlag et al. 2021,
            arXiv:2102.11174; Yang et al. 2024, arXiv:2406.06484 and 2412.06464). A number, ``(kv_heads,)`` or
            ``(…, kv_heads, keys)``; in [0, 2], causal only, and never normalized. Stable for |φ(k)| ≤ 1: use it with
            ``feature_map="none"`` and keys that are normalized to a length of at most 1. With ``"elu"``, or keys as
            they come, |φ(k)| is above 1 and the state grows without bound. Once it overflows, rows that come before
            that token in its chunk of up to 64 tokens may be NaN too.
        normalize: Whether to divide by φ(q)·z. By default where features cannot be negative, so not for ``"none"``, and
            not with an update_rate.

    Returns:
        ``(…, heads, queries, value_dim)``, of q's dtype.

    Raises:
        ShapeError: Shapes that do not fit; the message names the axis.
        InputError: Dtypes or devices that differ, or an argument of the wrong kind.

    Example:
        The second query's features are 1 + 1 = 2; the keys' are 1 and 3. So it weighs the values 1 : 3.

        >>> import torch, clearhead as ch
        >>> q, k = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]])
        >>> v = torch.tensor([[0.0], [4.0]])
        >>> ch.linear_attention(q, k, v, causal=True)
        tensor([[0.],
                [3.]])
        >>> ch.linear_attention(q, k, v, causal=True, decay=0.5)  # 1/2 : 3
        tensor([[0.0000],
                [3.4286]])

    """
    request = prepare_linear(
        q,
        k,
        v,
        feature_map=feature_map,
        causal=causal,
        mask=mask,
        scale=scale,
        decay=decay,
        update_rate=update_rate,
        normalize=normalize,
    )
    return request.restore(request.output())


def linear_prefill(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    state: LinearState | None = None,
    *,
    feature_map: str | FeatureMap = "elu",
    mask: Mask | Tensor | None = None,
    scale: float | int | None = None,
    decay: float | int | Tensor | None = None,
    update_rate: float | int | Tensor | None = None,
    normalize: bool | None = None,
) -> tuple[Tensor, LinearState]:
    """Causal :func:`clearhead.linear_attention` of the next tokens of a text, and the state after them.

    A text that is given in pieces of any lengths, each with the state that the one before gave, has the output of the
    whole.

    Args:
        q: ``(…, heads, tokens, head_dim)``; see :func:`clearhead.linear_attention` for all arguments.
        k: ``(…, kv_heads, tokens, head_dim)``.
        v: ``(…, kv_heads, tokens, value_dim)``.
        state: Of the tokens before; None at the beginning of a text.
        feature_map: φ.
        mask: Which of these keys are there.
        scale: Factor of q·k.
        decay: What becomes of the state from token to token.
        update_rate: β of the delta rule.
        normalize: Whether to divide by φ(q)·z.

    Returns:
        The output, ``(…, heads, tokens, value_dim)``, and the state.

    Raises:
        ShapeError: Shapes that do not fit, also those of a state.
        InputError: As :func:`clearhead.linear_attention`, or a state of another dtype or kind.

    Example:
        >>> import torch, clearhead as ch
        >>> q, k, v = torch.randn(3, 1, 2, 10, 4)
        >>> first, state = ch.linear_prefill(q[:, :, :7], k[:, :, :7], v[:, :, :7])
        >>> second, state = ch.linear_prefill(q[:, :, 7:], k[:, :, 7:], v[:, :, 7:], state)
        >>> whole = ch.linear_attention(q, k, v, causal=True)
        >>> torch.allclose(torch.cat([first, second], 2), whole, atol=1e-6)
        True

    """
    request = prepare_linear(
        q,
        k,
        v,
        feature_map=feature_map,
        causal=True,
        mask=mask,
        scale=scale,
        decay=decay,
        update_rate=update_rate,
        normalize=normalize,
    )
    if request.q.shape[3] != request.k.shape[2]:
        raise ShapeError(
            f"q, k and v are of the same tokens here; got {request.q.shape[3]} queries and {request.k.shape[2]} keys"
        )
    output, after = request.causal(request.start(state))
    return request.restore(output), request.state(after)


def linear_step(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    state: LinearState | None,
    *,
    feature_map: str | FeatureMap = "elu",
    scale: float | int | None = None,
    decay: float | int | Tensor | None = None,
    update_rate: float | int | Tensor | None = None,
    normalize: bool | None = None,
) -> tuple[Tensor, LinearState]:
    """One token more: the recurrent form of :func:`clearhead.linear_attention`, of the same cost at any length.

    The state does not remember feature_map, its seed, scale, decay or update_rate: give every step the same.

    Args:
        q: ``(…, heads, 1, head_dim)``; see :func:`clearhead.linear_attention` for all arguments.
        k: ``(…, kv_heads, 1, head_dim)``.
        v: ``(…, kv_heads, 1, value_dim)``.
        state: From :func:`clearhead.linear_prefill`, from the step before, or ``LinearState.zeros(…)``; None is an
            error, since a state that was lost would otherwise go unnoticed.
        feature_map: φ.
        scale: Factor of q·k.
        decay: What becomes of the state before this token enters; of a token's own, ``(…, kv_heads, 1)``.
        update_rate: β of the delta rule.
        normalize: Whether to divide by φ(q)·z.

    Returns:
        The output, ``(…, heads, 1, value_dim)``, and the new state; the old one is as it was.

    Raises:
        ShapeError: More than one token, or shapes that do not fit.
        InputError: No state, or an argument of the wrong kind.

    Example:
        >>> import torch, clearhead as ch
        >>> q, k, v = torch.randn(3, 1, 2, 5, 4)
        >>> state, outputs = ch.LinearState.zeros(1, 2, 4, 4), []
        >>> for i in range(5):
        ...     output, state = ch.linear_step(q[:, :, i : i + 1], k[:, :, i : i + 1], v[:, :, i : i + 1], state)
        ...     outputs.append(output)
        >>> torch.allclose(torch.cat(outputs, 2), ch.linear_attention(q, k, v, causal=True), atol=1e-6)
        True

    """
    request = prepare_linear(
        q,
        k,
        v,
        feature_map=feature_map,
        causal=True,
        mask=None,
        scale=scale,
        decay=decay,
        update_rate=update_rate,
        normalize=normalize,
    )
    if request.q.shape[3] != 1 or request.k.shape[2] != 1:
        raise ShapeError(
            f"a step is of one token; got {request.q.shape[3]} queries and {request.k.shape[2]} keys; several at once "
            "go to linear_prefill(q, k, v, state)"
        )
    if state is None:
        raise InputError(
            "a recurrent step goes on from a state, and there is none; start from LinearState.zeros(batch, kv_heads, "
            "features, value_dim), or from the state that linear_prefill(q, k, v) gives"
        )
    output, after = one_step(request.how, request.q, request.tokens, request.start(state))
    return request.restore(output), request.state(after)
