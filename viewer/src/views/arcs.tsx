/** Tokens in two columns, joined by lines as strong as the weights: of each chosen head, in a colour of its own. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { block } from "../data/block";
import type { Span } from "../data/source";
import { inkOf, paperOf, standalone } from "../marks/picture";
import { headName, weightText } from "./format";
import type { Model } from "./model";

const LINE = 22;
const MOST_LINES = 400;
const SIGHT = 240;
/** Okabe and Ito's colours that stand out on light and dark. */
export const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

interface Arc {
  query: number;
  key: number;
  weight: number;
  head: number;
}

const within = (at: number, span: Span | null): boolean => !span || (at >= span[0] && at < span[1]);

export function Arcs({ model }: { model: Model }) {
  const { store, source } = model;
  const { heads, query, key } = store.state.value;
  const [queries, keys] = [model.queryWords.value, model.keyWords.value];
  const start = useSignal(0);
  const arcs = useSignal<{ arcs: Arc[]; of: number }>({ arcs: [], of: 0 });
  const wide = useRef<SVGSVGElement>(null);
  const lens = store.lens.value;
  const rows = Math.min(queries.length, SIGHT);
  const columns = Math.min(keys.length, SIGHT);
  const from = Math.min(start.value, Math.max(0, queries.length - rows));
  const first = Math.min(start.value, Math.max(0, keys.length - columns));

  useEffect(() => {
    const at = (query ?? key)?.[0];
    if (at !== undefined && (at < start.peek() || at >= start.peek() + SIGHT)) start.value = Math.max(0, at - 8); // near the top
  }, [query, key]);
  useEffect(() => {
    const controller = new AbortController();
    Promise.all(heads.map((head) => block(source, { ...lens, heads: [head] }, from, rows, first, columns, controller.signal))).then(
      (blocks) => {
        const found: Arc[] = [];
        blocks.forEach((block, head) => block.forEach((weight, at) => weight > 1e-3 && found.push({ query: from + Math.floor(at / columns), key: first + (at % columns), weight, head })));
        // What is selected first, so that its lines are not lost among stronger ones.
        const isAside = (arc: Arc) => (within(arc.query, query) && within(arc.key, key) ? 0 : 1);
        found.sort((a, b) => isAside(a) - isAside(b) || b.weight - a.weight);
        arcs.value = { arcs: found.slice(0, MOST_LINES), of: found.length };
      },
      (error: Error) => error.name !== "AbortError" && (model.error.value = error.message),
    );
    return () => controller.abort();
  }, [lens, from, first, rows, columns, query, key]);

  useEffect(() => {
    const list = arcs.value.arcs;
    model.kept.value = {
      svg: () => standalone(wide.current!, paperOf(wide.current!), [...heads.map((head, n): [string, string] => [headName(source.info, head), COLORS[n % COLORS.length]]), [model.caption.value.split(" · ").slice(1).join(" · "), inkOf(wide.current!)]]),
      table: async () => [["head", "query", "key", "from", "to", "weight"], ...list.map((arc) => [headName(source.info, heads[arc.head]), arc.query, arc.key, queries[arc.query], keys[arc.key], arc.weight])],
    };
    return () => {
      model.kept.value = null;
    };
  }, [arcs.value]);

  const hover = store.hover.value;
  const isLit = (arc: Arc): boolean => {
    if (hover.query !== null || hover.key !== null) return arc.query === hover.query || arc.key === hover.key;
    return within(arc.query, query) && within(arc.key, key);
  };
  const anything = hover.query !== null || hover.key !== null || query || key;
  const height = Math.max(rows, columns) * LINE + 12;
  const y = (at: number, begin: number) => (at - begin + 0.5) * LINE + 6;
  const shown = arcs.value.arcs;
  return (
    <figure class="arcs">
      <svg ref={wide} viewBox={`0 0 640 ${height}`} style={{ height: `${height}px` }} role="group" aria-label="Lines from queries, left, to the keys that they look at, right">
        <g fill="none">
          {shown.map((arc) => {
            const beside = Math.max(-7, Math.min(7, 4 * (arc.head - (heads.length - 1) / 2))); // so that no head's line hides another's
            const [a, b] = [y(arc.query, from) + beside, y(arc.key, first) + beside];
            const isOn = isLit(arc);
            return (
              <path
                d={`M200 ${a}C320 ${a} 320 ${b} 440 ${b}`}
                stroke={COLORS[arc.head % COLORS.length]}
                stroke-width={Math.max(0.5, 6 * arc.weight)}
                stroke-opacity={anything ? (isOn ? Math.min(1, 0.25 + arc.weight) : 0.04) : Math.min(1, 0.1 + arc.weight)}
              />
            );
          })}
        </g>
        <Column model={model} words={queries} from={from} count={rows} side="query" y={(i) => y(i, from)} />
        <Column model={model} words={keys} from={first} count={columns} side="key" y={(i) => y(i, first)} />
      </svg>
      <figcaption>
        {heads.map((head, n) => (
          <span class="key">
            <i style={{ background: COLORS[n % COLORS.length] }} /> {headName(source.info, head)}
          </span>
        ))}
        <span>
          {arcs.value.of > shown.length ? `the strongest ${shown.length} of ${arcs.value.of} lines above 0.001` : `${shown.length} lines above 0.001`}
          {arcs.value.of > shown.length && `, down to ${weightText(Math.min(...shown.map((arc) => arc.weight)))}`}
          {Math.max(queries.length, keys.length) > SIGHT && ` from queries ${from}–${from + rows - 1} to keys ${first}–${first + columns - 1}`}
        </span>
        {Math.max(queries.length, keys.length) > SIGHT && (
          <label class="field">
            from
            <input type="range" min={0} max={Math.max(queries.length, keys.length) - SIGHT} value={start.value} onInput={(event) => (start.value = Number(event.currentTarget.value))} />
          </label>
        )}
      </figcaption>
    </figure>
  );
}

interface ColumnProps {
  model: Model;
  words: string[];
  from: number;
  count: number;
  side: "query" | "key";
  y: (at: number) => number;
}

function Column({ model, words, from, count, side, y }: ColumnProps) {
  const { store } = model;
  const chosen = store.state.value[side];
  const isQuery = side === "query";
  const numbers = isQuery ? model.column.value : model.row.value;
  return (
    <g class="column" text-anchor={isQuery ? "end" : "start"}>
      {words.slice(from, from + count).map((word, n) => {
        const at = from + n;
        const isChosen = chosen !== null && at >= chosen[0] && at < chosen[1];
        const weight = numbers && numbers.length === words.length ? numbers[at] : null;
        return (
          <text
            x={isQuery ? 192 : 448}
            y={y(at)}
            dy="0.35em"
            tabIndex={-1}
            class={isChosen ? `is-${side}` : ""}
            onPointerEnter={() => (store.hover.value = isQuery ? { query: at, key: null } : { query: null, key: at })}
            onPointerLeave={() => (store.hover.value = { query: null, key: null })}
            onClick={() => store.set({ [side]: isChosen ? null : [at, at + 1] })}
          >
            {[...word].length > 24 ? `${[...word].slice(0, 23).join("")}…` : word}
            {weight !== null && weight >= 0.005 && <tspan class="quiet"> {weight.toFixed(2)}</tspan>}
          </text>
        );
      })}
    </g>
  );
}
