/** What the ink stands for, in numbers, and what was done to them. */

import type { Scale } from "../marks/color";
import type { Model } from "./model";
import { weightText } from "./format";

/** What stands at both ends of a ramp; on a long map a few pixels have more than its strongest ink stands for. */
export function ends(scale: Scale, isLong: boolean): [least: string, most: string] {
  return [scale.isLog ? `≤ ${weightText(scale.most * 1e-4)}` : weightText(0), `${isLong ? "≥ " : ""}${weightText(scale.most)}`];
}

/** From no weight to the strongest. */
export function Ramp({ scale, isLong = false }: { scale: Scale; isLong?: boolean }) {
  const stops = [0, 0.25, 0.5, 0.75, 1];
  const colors = stops.map((at) => `rgb(${[0, 1, 2].map((c) => scale.table[Math.round(at * 255) * 4 + c]).join(" ")})`);
  const [least, most] = ends(scale, isLong);
  return (
    <span class="legend">
      {least}
      <span class="ramp" role="img" aria-label={`Colours from ${least} to ${most}${scale.isLog ? ", logarithmic" : ""}`} style={{ background: `linear-gradient(to right, ${colors.join(", ")})` }} />
      {most}
    </span>
  );
}

export function Legend({ model, pooled, isLong }: { model: Model; pooled: number; isLong: boolean }) {
  const { pool } = model.store.state.value;
  const progress = model.source.progress?.value;
  const notes = [
    model.isPreview.value && "sampled preview",
    pooled > 1 && `${pool === "max" ? "maximum" : "mean"} of ${pooled} × ${pooled}`,
  ].filter(Boolean);
  return (
    <span class="legend">
      <Ramp scale={model.scale()} isLong={isLong} />
      <small>{notes.join(" · ")}</small>
      {progress && (
        <progress aria-label="The exact overview is being computed" max={progress.of} value={progress.done} title={`${progress.done} of ${progress.of} bands of rows`} />
      )}
    </span>
  );
}
