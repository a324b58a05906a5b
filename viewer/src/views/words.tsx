/** The text on top: its words as chips, shaded by what the selected words look at, or by what looks at them. */

import { useRef } from "preact/hooks";
import { inkOn, scaleTo } from "../marks/color";
import type { Model } from "./model";
import { spanText, weightText } from "./format";

export function Words({ model }: { model: Model }) {
  const { store } = model;
  const { query, key } = store.state.value;
  const isTo = !query && !!key;
  const both = model.isSelf.value;
  return (
    <section class="words" aria-label="The text">
      {!both && <Line model={model} side="query" label="from" />}
      <Line model={model} side={both ? (isTo ? "key-self" : "self") : "key"} label={both ? null : "to"} />
      <p class="hint" aria-live="polite">
        {query
          ? `Shaded by what “${spanText(model.queryWords.value, query)}” looks at.`
          : key
            ? `Shaded by what looks at “${spanText(model.keyWords.value, key)}”.`
            : "Choose a word to see what it looks at; hold Alt (or ⌥) for what looks at it."}
      </p>
    </section>
  );
}

type Side = "self" | "key-self" | "query" | "key";

function Line({ model, side, label }: { model: Model; side: Side; label: string | null }) {
  const { store } = model;
  const { query, key } = store.state.value;
  const words = side === "query" ? model.queryWords.value : model.keyWords.value;
  const numbers = side === "query" || side === "key-self" ? model.column.value : model.row.value;
  const fits = numbers && numbers.length === words.length ? numbers : null;
  const scale = scaleTo(fits ? Math.max(...largest(fits)) : 1, store.state.value.log, model.ground.value);
  const anchor = useRef<number | null>(null);
  const isQuerySide = side === "query" || side === "self" || side === "key-self";

  function choose(at: number, event: { altKey: boolean; shiftKey: boolean }) {
    const toKey = side === "key" || event.altKey;
    const now = toKey ? key : query;
    const from = event.shiftKey && anchor.current !== null ? Math.min(anchor.current, at) : at;
    const to = event.shiftKey && anchor.current !== null ? Math.max(anchor.current, at) + 1 : at + 1;
    if (!event.shiftKey) anchor.current = at;
    const chosen = now && now[0] === from && now[1] === to ? null : ([from, to] as const);
    store.set(toKey ? { key: chosen } : { query: chosen });
  }

  return (
    <p class="line">
      {label && <span class="side">{label}</span>}
      {words.map((word, at) => {
        const weight = fits ? fits[at] : 0;
        const isQuery = isQuerySide && query !== null && at >= query[0] && at < query[1];
        const isKey = side !== "query" && key !== null && at >= key[0] && at < key[1];
        return (
          <button
            type="button"
            class={`chip${isQuery ? " is-query" : ""}${isKey ? " is-key" : ""}`}
            aria-pressed={isQuery || isKey}
            title={fits ? `${word}: ${weightText(weight)}` : word}
            style={fits ? { background: scale.css(weight), color: inkOn(scale, weight) } : undefined}
            onClick={(event) => choose(at, event)}
            onMouseDown={(event) => {
              if (event.button === 0 && !event.shiftKey) anchor.current = at;
            }}
            onMouseUp={(event) => {
              if (anchor.current !== null && anchor.current !== at && !event.shiftKey) choose(at, { altKey: event.altKey, shiftKey: true });
            }}
            onMouseEnter={() => (store.hover.value = isQuerySide ? { query: at, key: null } : { query: null, key: at })}
            onMouseLeave={() => (store.hover.value = { query: null, key: null })}
          >
            <bdi>{word}</bdi>
          </button>
        );
      })}
    </p>
  );
}

function largest(numbers: Float32Array): number[] {
  let most = 0;
  for (const x of numbers) if (x > most) most = x;
  return [most];
}
