/** What is known of the selected pair: its weight in the chosen heads, and in all of them. */

import { headName, spanText, weightText } from "./format";
import type { Model } from "./model";

const SHOWN = 12;

export function Inspector({ model }: { model: Model }) {
  const { store, source } = model;
  const { query, key, heads } = store.state.value;
  const row = model.row.value;
  const words = model.keyWords.value;
  const known = row && row.length === words.length ? row : null;
  const from = query && spanText(model.queryWords.value, query);
  const to = key && spanText(words, key);
  let weight = 0;
  if (known && key) for (let j = key[0]; j < key[1]; j++) weight += known[j];
  const rank = known && key && key[1] === key[0] + 1 ? 1 + known.reduce((count, x) => count + Number(x > known[key[0]]), 0) : null;
  const best = known ? strongest(known) : [];
  const looks = [...(model.looks.value ?? [])].sort((a, b) => b.weight - a.weight).slice(0, SHOWN);
  const chosen = heads.map((head) => headName(source.info, head)).join(" + ");
  return (
    <aside class="inspector" aria-label="The selection">
      <h2>
        {from || to ? (
          <>
            <bdi>{from ?? "…"}</bdi> → <bdi>{to ?? "…"}</bdi>
          </>
        ) : (
          "Nothing is selected"
        )}
      </h2>
      <p aria-live="polite">
        {known && key && (
          <>
            <strong>{weightText(weight)}</strong> in {chosen}
            {rank && `, rank ${rank} of ${words.length}`}
          </>
        )}
      </p>
      {known && (
        <>
          <h3>{chosen}: what it looks at</h3>
          <Bars
            rows={best.map(([x, at]) => ({ label: words[at], weight: x, isMarked: !!key && at >= key[0] && at < key[1] }))}
            onChoose={(n) => store.set({ key: [best[n][1], best[n][1] + 1] })}
          />
        </>
      )}
      {looks.length > 0 && (
        <>
          <h3>{key ? "All heads, for this pair" : "Heads that look hardest"}</h3>
          <Bars
            rows={looks.map((look) => ({
              label: headName(source.info, look.head) + (key ? "" : ` → ${words[look.key]}`),
              weight: look.weight,
              isMarked: heads.some((head) => head.join(".") === look.head.join(".")),
            }))}
            onChoose={(n) => store.set({ heads: [looks[n].head] })}
          />
        </>
      )}
      {!query && <p class="hint">Choose a word in the text.</p>}
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
