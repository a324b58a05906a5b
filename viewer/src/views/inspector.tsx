/** What is known of the selected pair: its weight in the chosen heads, and in all of them. */

import type { Look, Span } from "../data/source";
import { headName, spanText, weightText } from "./format";
import type { Model } from "./model";

const SHOWN = 12;

export function Inspector({ model }: { model: Model }) {
  const { store, source } = model;
  const { key, heads } = store.state.value;
  const query = model.queried.value;
  const [row, column] = [model.row.value, model.column.value];
  const [queries, keys] = [model.queryWords.value, model.keyWords.value];
  const known = query && row && row.length === keys.length ? row : null;
  const received = !query && key && column && column.length === queries.length ? column : null;
  const [from, to] = [query && spanText(queries, query), key && spanText(keys, key)];
  const isHidden = key !== null && model.isHidden(key);
  const chosen = heads.map((head) => headName(source.info, head)).join(" + ");
  const isNow = ({ head: [layer] }: Look): boolean => source.info.layers[layer].call === model.step.value;
  const looks = (model.looks.value ?? []).filter(isNow).sort((a, b) => b.weight - a.weight);
  const many = (span: Span | null, what: string) => (span && span[1] - span[0] > 1 ? `, ${what} of ${span[1] - span[0]} words` : "");
  const mean = heads.length > 1 ? `, mean of ${heads.length} heads` : "";
  const some = (of: number) => (of > SHOWN ? ` (${SHOWN} of ${of})` : "");
  let weight = 0;
  if (known && key) for (let j = key[0]; j < key[1]; j++) weight += known[j];
  if (received) weight = received.reduce((a, b) => a + b, 0) / received.length;
  const rank = known && key && key[1] === key[0] + 1 ? 1 + known.reduce((count, x) => count + Number(x > known[key[0]]), 0) : null;
  const list = known ?? received;
  const best = list ? strongest(list) : [];
  return (
    <aside class="inspector" aria-label="The selection">
      <h2>
        {from || to ? (
          <>
            <bdi>{from ?? "all"}</bdi> → <bdi>{to ?? "…"}</bdi>
          </>
        ) : (
          "Nothing is selected"
        )}
      </h2>
      <p aria-live="polite">
        {isHidden ? (
          "This key is hidden: its weight is taken out."
        ) : list && key ? (
          <>
            <strong>{weightText(weight)}</strong> in {chosen}
            {mean}
            {received ? ", mean of all queries" : many(query, "mean")}
            {many(key, "sum")}
            {rank && `, rank ${rank} of ${keys.length}`}
          </>
        ) : null}
      </p>
      {list && (
        <>
          <h3>
            {chosen}: {known ? `what it looks at${many(query, "mean")}` : `what looks at it${many(key, "sum")}`}
            {mean}
            {some(list.length)}
          </h3>
          <Bars
            rows={best.map(([x, at]) => ({ label: (known ? keys : queries)[at], weight: x, isMarked: !!known && !!key && at >= key[0] && at < key[1] }))}
            onChoose={(n) => store.set(known ? { key: [best[n][1], best[n][1] + 1] } : { query: [best[n][1], best[n][1] + 1] })}
          />
        </>
      )}
      {looks.length > 0 && !isHidden && (
        <>
          <h3>
            {key ? (query ? "Heads, for this pair" : "Heads, mean of all queries") : "Heads that look hardest at another word, special ones apart"}
            {some(looks.length)}
          </h3>
          <Bars
            rows={looks.slice(0, SHOWN).map((look) => ({
              label: headName(source.info, look.head) + (key ? "" : ` → ${keys[look.key]}`),
              weight: look.weight,
              isMarked: heads.some((head) => head.join(".") === look.head.join(".")),
            }))}
            onChoose={(n) => store.set({ heads: [looks[n].head] })}
          />
        </>
      )}
      {!query && !key && <p class="hint">Choose a {model.hasPatches.value[0] ? "patch" : "word"}.</p>}
    </aside>
  );
}

/** The largest numbers and where they stand, the largest first. */
function strongest(numbers: Float32Array): (readonly [weight: number, at: number])[] {
  const least = numbers.length > SHOWN ? numbers.toSorted()[numbers.length - SHOWN] : -Infinity;
  const found: [number, number][] = [];
  numbers.forEach((x, at) => x >= least && found.push([x, at]));
  return found.sort((a, b) => b[0] - a[0]).slice(0, SHOWN);
}

interface Bar {
  label: string;
  weight: number;
  isMarked: boolean;
}

function Bars({ rows, onChoose }: { rows: Bar[]; onChoose: (n: number) => void }) {
  const most = Math.max(1e-9, ...rows.map((row) => row.weight));
  return (
    <ol class="bars">
      {rows.map((row, n) => (
        <li>
          <button type="button" class={row.isMarked ? "is-marked" : ""} onClick={() => onChoose(n)}>
            <span class="label">
              <bdi>{row.label}</bdi>
            </span>
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${(100 * row.weight) / most}%` }} />
            </span>
            <span class="number">{weightText(row.weight)}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}
