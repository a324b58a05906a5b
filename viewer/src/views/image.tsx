/** The picture of a vision model: which patch looks, and, by how clear they are, which patches it looks at. */

import { useEffect, useRef } from "preact/hooks";
import type { Picture } from "../data/capture";
import { inkOf, paperOf, standalone } from "../marks/picture";
import { weightText } from "./format";
import type { Model } from "./model";

const SIZE = 300;
const GAP = 20;

export function Image({ model }: { model: Model }) {
  const { store } = model;
  const { query } = store.state.value;
  const drawing = useRef<SVGSVGElement>(null);
  const picture = model.picture.value!;
  const [from, to] = model.hasPatches.value;
  const row = model.row.value;
  const weights = row && row.length === model.keyWords.value.length ? row : null;
  const isFrom = from && model.isSelf.value;

  useEffect(() => {
    model.kept.value = {
      svg: () => standalone(drawing.current!, paperOf(drawing.current!), [[model.caption.value, inkOf(drawing.current!)]]),
      table: async () => [["to", "weight"], ...(weights ? Array.from(weights, (x, j) => [model.keyWords.value[j], x]) : [])],
    };
    return () => {
      model.kept.value = null;
    };
  }, [weights]);

  const [rows, columns] = picture.grid;
  const height = (SIZE * rows) / columns;
  const outside = weights ? weights.subarray(0, picture.first).reduce((a, b) => a + b, 0) : 0;
  let most = 0;
  weights?.subarray(picture.first).forEach((x) => (most = Math.max(most, x)));
  return (
    <figure class="image">
      <svg ref={drawing} viewBox={`0 0 ${isFrom ? 2 * SIZE + GAP : SIZE} ${height + 24}`} role="group" aria-label="Patches that look, left, and how hard they look at each patch, right">
        {isFrom && <Patches model={model} picture={picture} side="query" left={0} height={height} weights={null} most={1} />}
        {to && <Patches model={model} picture={picture} side="key" left={isFrom ? SIZE + GAP : 0} height={height} weights={query ? weights : null} most={most} />}
      </svg>
      <figcaption>
        {weights && query ? (
          <span>
            The clearest patch has {weightText(most)}; what is faded out has 0. {weightText(outside)} falls on no patch.
          </span>
        ) : (
          <span>Choose a patch on the left, or [CLS] above.</span>
        )}
      </figcaption>
    </figure>
  );
}

interface PatchesProps {
  model: Model;
  picture: Picture;
  side: "query" | "key";
  left: number;
  height: number;
  weights: Float32Array | null;
  most: number;
}

function Patches({ model, picture, side, left, height, weights, most }: PatchesProps) {
  const { store } = model;
  const chosen = store.state.value[side];
  const [rows, columns] = picture.grid;
  const [across, down] = [SIZE / columns, height / rows];
  const scale = model.scale(most);
  const ids = Array.from({ length: rows * columns }, (_, n) => n);
  return (
    <g>
      <text x={left} y={14} class="quiet">
        {side === "query" ? "from" : "to"}
      </text>
      <image href={`data:image/png;base64,${picture.png}`} x={left} y={24} width={SIZE} height={height} preserveAspectRatio="none" />
      {ids.map((n) => {
        const token = picture.first + n;
        const weight = weights?.[token] ?? 0;
        const isChosen = chosen !== null && token >= chosen[0] && token < chosen[1];
        return (
          <rect
            class={`patch${isChosen ? ` is-${side}` : ""}`}
            x={left + (n % columns) * across}
            y={24 + Math.floor(n / columns) * down}
            width={across}
            height={down}
            fill-opacity={weights ? 0.95 * (1 - scale.place(weight)) : 0}
            onClick={() => store.set({ [side]: isChosen ? null : [token, token + 1] })}
            onPointerEnter={() => (store.hover.value = side === "query" ? { query: token, key: null } : { query: null, key: token })}
            onPointerLeave={() => (store.hover.value = { query: null, key: null })}
          >
            <title>{`${Math.floor(n / columns)},${n % columns}${weights ? `: ${weightText(weight)}` : ""}`}</title>
          </rect>
        );
      })}
    </g>
  );
}
