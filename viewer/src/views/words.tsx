/** The text on top: its words as chips, shaded by what the selected words look at, or by what looks at them. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { inkOn, scaleTo } from "../marks/color";
import type { Model } from "./model";
import { Ramp } from "./legend";
import { spanText, weightText } from "./format";

/** More words than this are shown by parts. */
const SIGHT = 300;

export function Words({ model }: { model: Model }) {
  const { store } = model;
  const { query, key } = store.state.value;
  const isTo = !query && !!key;
  const queried = model.queried.value;
  const both = model.isSelf.value;
  // Of two texts each is shaded by its own numbers.
  const ramps: [string, Float32Array | null][] = both
    ? [["", isTo ? model.column.value : model.row.value]]
    : [
        ["from", model.column.value],
        ["to", model.row.value],
      ];
  return (
    <section class="words" aria-label="The text">
      <div class="lines">
        {!both && <Line model={model} side="query" label="from" />}
        <Line model={model} side={both ? (isTo ? "key-self" : "self") : "key"} label={both ? null : "to"} />
      </div>
      <div class="below">
        <p class="hint" aria-live="polite">
          {queried
            ? `Shaded by what “${spanText(model.queryWords.value, queried)}” looks at`
            : key
              ? `Shaded by what looks at “${spanText(model.keyWords.value, key)}”`
              : `Choose a ${model.hasPatches.value[0] ? "patch" : "word"} to see what it looks at; drag over several.`}
        </p>
        {ramps.map(
          ([side, numbers]) =>
            numbers && (
              <span class="legend">
                {side}
                <Ramp scale={scaleTo(largest(numbers), store.state.value.log, model.ground.value)} />
              </span>
            ),
        )}
        {both && (
          <label class="field">
            a click chooses
            <select value={model.picks.value} onChange={(event) => (model.picks.value = event.currentTarget.value as "query" | "key")}>
              <option value="query">who looks (query)</option>
              <option value="key">what is looked at (key)</option>
            </select>
          </label>
        )}
      </div>
    </section>
  );
}

/** Goes to the next word with these letters in it. */
export function Find({ model }: { model: Model }) {
  const said = useSignal("");
  function find(wanted: string) {
    const letters = wanted.toLocaleLowerCase();
    const words = model.queryWords.value;
    const start = (model.store.now.query?.[0] ?? -1) + 1;
    for (let n = 0; letters && n < words.length; n++) {
      const at = (start + n) % words.length;
      if (!words[at].toLocaleLowerCase().includes(letters)) continue;
      said.value = `word ${at + 1} of ${words.length}`;
      model.store.set({ query: [at, at + 1] });
      return;
    }
    said.value = letters ? "no such word" : "";
  }
  return (
    <form
      class="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        find(event.currentTarget.querySelector("input")!.value);
      }}
    >
      <input
        type="search"
        aria-label="Find a word"
        placeholder="find a word  /"
        onInput={() => (said.value = "")}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
      />
      <span role="status" class="hint">
        {said.value}
      </span>
    </form>
  );
}

type Side = "self" | "key-self" | "query" | "key";

function Line({ model, side, label }: { model: Model; side: Side; label: string | null }) {
  const { store } = model;
  const { query, key } = store.state.value;
  const words = side === "query" ? model.queryWords.value : model.keyWords.value;
  const special = side === "query" ? model.querySpecial.value : model.keySpecial.value;
  const numbers = side === "query" || side === "key-self" ? model.column.value : model.row.value;
  const fits = numbers && numbers.length === words.length ? numbers : null;
  const scale = scaleTo(fits ? largest(fits) : 1, store.state.value.log, model.ground.value);
  const anchor = useRef<number | null>(null);
  const drag = useRef<number | null>(null);
  const isQuerySide = side !== "key";
  const isPatches = model.hasPatches.value[side === "query" ? 0 : 1];
  const start = useSignal(0);
  const chosen = isQuerySide ? (query ?? key) : key;
  useEffect(() => {
    const [at] = chosen ?? [start.peek()];
    if (at < start.peek() || at >= start.peek() + SIGHT) start.value = Math.max(0, at - SIGHT / 2);
  }, [chosen?.[0], words]);
  const from = Math.min(start.value, Math.max(0, words.length - SIGHT));
  const line = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const release = () => (drag.current = null); // wherever the pointer is by then
    window.addEventListener("mouseup", release);
    return () => window.removeEventListener("mouseup", release);
  }, []);
  useEffect(() => {
    const chip = chosen && line.current?.querySelector<HTMLElement>(`[data-at="${chosen[0]}"]`);
    const lines = chip?.closest(".lines");
    if (!chip || !lines) return;
    const [top, bottom] = [chip.offsetTop, chip.offsetTop + chip.offsetHeight];
    if (top < lines.scrollTop || bottom > lines.scrollTop + lines.clientHeight) lines.scrollTop = top - lines.clientHeight / 2;
  }, [chosen?.[0], from]);

  function choose(at: number, event: { altKey: boolean; shiftKey: boolean }) {
    const toKey = side === "key" || (side !== "query" && event.altKey !== (model.picks.value === "key"));
    const now = toKey ? key : query;
    const first = event.shiftKey && anchor.current !== null ? Math.min(anchor.current, at) : at;
    const last = event.shiftKey && anchor.current !== null ? Math.max(anchor.current, at) + 1 : at + 1;
    if (!event.shiftKey) anchor.current = at;
    const span = now && now[0] === first && now[1] === last ? null : ([first, last] as const);
    store.set(toKey ? { key: span } : { query: span });
  }

  return (
    <>
      <p ref={line} class="line">
        {label && <span class="side">{label}</span>}
        {words.slice(from, from + SIGHT).map((word, n) => {
          const at = from + n;
          if (isPatches && !special[at]) return null; // they are in the picture
          const weight = fits ? fits[at] : 0;
          const isQuery = isQuerySide && query !== null && at >= query[0] && at < query[1];
          const isKey = side !== "query" && key !== null && at >= key[0] && at < key[1];
          return (
            <button
              type="button"
              key={at}
              data-at={at}
              class={`chip${isQuery ? " is-query" : ""}${isKey ? " is-key" : ""}`}
              aria-pressed={isQuery || isKey}
              title={fits ? `${word}: ${weightText(weight)}` : word}
              style={fits ? { background: scale.css(weight), color: inkOn(scale, weight) } : undefined}
              onClick={(event) => choose(at, event)}
              onMouseDown={(event) => {
                if (event.button === 0 && !event.shiftKey) drag.current = at;
              }}
              onMouseUp={(event) => {
                if (event.button !== 0 || drag.current === null || drag.current === at) return;
                anchor.current = drag.current;
                choose(at, { altKey: event.altKey, shiftKey: true });
              }}
              onMouseEnter={() => (store.hover.value = isQuerySide ? { query: at, key: null } : { query: null, key: at })}
              onMouseLeave={() => (store.hover.value = { query: null, key: null })}
            >
              <bdi>{word}</bdi>
            </button>
          );
        })}
      </p>
      {words.length > SIGHT && !isPatches && (
        <label class="field">
          {from + 1}–{from + SIGHT} of {words.length}
          <input type="range" min={0} max={words.length - SIGHT} value={from} onInput={(event) => (start.value = Number(event.currentTarget.value))} />
        </label>
      )}
    </>
  );
}

function largest(numbers: Float32Array): number {
  let most = 0;
  for (const x of numbers) if (x > most) most = x;
  return most;
}
