/** What the ink stands for, in numbers, and what was done to them. */

import type { Model } from "./model";
import { weightText } from "./format";

export function Legend({ model }: { model: Model }) {
  const { log, hide, pool, heads } = model.store.state.value;
  const scale = model.scale();
  const stops = [0, 0.25, 0.5, 0.75, 1];
  const value = (at: number) => (log ? scale.most * 10 ** (4 * (at - 1)) : scale.most * at);
  const colors = stops.map((at) => `rgb(${[0, 1, 2].map((c) => scale.table[Math.round(at * 255) * 4 + c]).join(" ")})`);
  const notes = [
    log && "log scale",
    hide === "special" && "special tokens hidden, rows renormalised",
    hide === "first" && "first token hidden, rows renormalised",
    heads.length > 1 && `mean of ${heads.length} heads`,
    pool === "max" ? "maximum where cells are smaller than a pixel" : "mean where cells are smaller than a pixel",
  ].filter(Boolean);
  return (
    <div class="legend">
      <span>{weightText(value(0))}</span>
      <span class="ramp" role="img" aria-label={`From ${weightText(value(0))} to ${weightText(value(1))}`} style={{ background: `linear-gradient(to right, ${colors.join(", ")})` }} />
      <span>{weightText(value(1))}</span>
      <small>{notes.join(" · ")}</small>
    </div>
  );
}
