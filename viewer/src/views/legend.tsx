/** What the ink stands for, in numbers, and what was done to them. */

import type { Scale } from "../marks/color";
import type { Model } from "./model";
import { weightText } from "./format";

/** From no weight to the strongest. */
export function Ramp({ scale }: { scale: Scale }) {
  const stops = [0, 0.25, 0.5, 0.75, 1];
  const value = (at: number) => (scale.isLog ? scale.most * 10 ** (4 * (at - 1)) : scale.most * at);
  const colors = stops.map((at) => `rgb(${[0, 1, 2].map((c) => scale.table[Math.round(at * 255) * 4 + c]).join(" ")})`);
  const [least, most] = [`${scale.isLog ? "≤ " : ""}${weightText(value(0))}`, weightText(value(1))];
  return (
    <span class="legend">
      {least}
      <span class="ramp" role="img" aria-label={`Colours from ${least} to ${most}${scale.isLog ? ", logarithmic" : ""}`} style={{ background: `linear-gradient(to right, ${colors.join(", ")})` }} />
      {most}
    </span>
  );
}

export function Legend({ model, pooled }: { model: Model; pooled: number }) {
  const { log, hide, pool, heads } = model.store.state.value;
  const progress = model.source.progress?.value;
  const notes = [
    model.isPreview.value && "sampled preview",
    log && "log scale",
    hide === "special" && "special tokens hidden, rows renormalised",
    hide === "first" && "first token hidden, rows renormalised",
    heads.length > 1 && `mean of ${heads.length} heads`,
    pooled > 1 && `${pool === "max" ? "maximum" : "mean"} of ${pooled} × ${pooled}`,
  ].filter(Boolean);
  return (
    <span class="legend">
      <Ramp scale={model.scale()} />
      <small>{notes.join(" · ")}</small>
      {progress && (
        <progress aria-label="The exact overview is being computed" max={progress.of} value={progress.done} title={`${progress.done} of ${progress.of} bands of rows`} />
      )}
    </span>
  );
}
