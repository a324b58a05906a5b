/** Everything by keyboard. */

import type { Head, Span } from "../data/source";
import { HIDES, type State, VIEWS } from "../state";
import type { Model } from "./model";

export const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ["← →", "select the query before or after"],
  ["↑ ↓", "select the key before or after"],
  ["arrows in the map", "select the cell beside; in the heads and tabs, the one beside"],
  ["Alt and click", "select a word as the key"],
  ["[ ]", "the head before or after"],
  ["{ }", "the layer before or after"],
  ["1 – 4", "matrix, arcs, q·k, image"],
  ["w", "words or pieces"],
  ["l", "linear or log"],
  ["s", "hide nothing, special tokens, the first token"],
  ["m", "mean or maximum where zoomed out"],
  ["+ − 0", "zoom in, out, all"],
  ["/", "find a word"],
  ["e", "keep what is seen: picture, numbers, link"],
  ["Esc", "let go of the selection"],
  ["?", "this list"],
];

function move(span: Span | null, by: number, count: number): Span {
  const at = span ? Math.min(count - 1, Math.max(0, span[0] + by)) : by > 0 ? 0 : count - 1;
  return [at, at + 1];
}

export function onKey(event: KeyboardEvent, model: Model, root: HTMLElement, help: () => void): void {
  const target = event.target as HTMLElement;
  // Option and AltGr are how some keyboards write [ ] { }; with a letter they are somebody else's command.
  if ((event.ctrlKey && !event.getModifierState("AltGraph")) || event.metaKey || (event.altKey && !/^[\[\]{}]$/.test(event.key)) || target.closest("input, select, textarea, dialog")) return;
  const { store, source } = model;
  const state = store.now;
  const { layers } = source.info;
  const [layer, head] = state.heads[0];
  const change = (to: Partial<State>) => store.set(to);
  const heads = model.heads;
  const place = heads.findIndex((x) => x[0] === layer && x[1] === head);
  const at = (n: number): Head => heads[(n + heads.length) % heads.length];
  const otherLayer = (by: number): Head => {
    const those = [...new Set(heads.map(([n]) => n))]; // of this step
    const next = those[(those.indexOf(layer) + by + those.length) % those.length];
    return [next, Math.min(head, layers[next].heads.length - 1)];
  };
  const zoom = (by: string) => root.querySelector(".matrix canvas")?.dispatchEvent(new CustomEvent("zoom-by", { detail: by }));
  const query = (by: number) => change({ query: move(state.query, by, model.queryWords.value.length) });
  const key = (by: number) => change({ key: move(state.key, by, model.keyWords.value.length) });
  // In the map, where queries are rows, arrows go where they point.
  const [along, across] = target.closest("canvas[role=grid]") ? [key, query] : [query, key];
  const does: Record<string, () => void> = {
    ArrowRight: () => along(1),
    ArrowLeft: () => along(-1),
    ArrowDown: () => across(1),
    ArrowUp: () => across(-1),
    "]": () => change({ heads: [at(place + 1)] }),
    "[": () => change({ heads: [at(place - 1)] }),
    "}": () => change({ heads: [otherLayer(1)] }),
    "{": () => change({ heads: [otherLayer(-1)] }),
    w: () => model.change(state.unit === "words" ? "pieces" : "words"),
    l: () => change({ log: !state.log }),
    s: () => change({ hide: HIDES[(HIDES.indexOf(state.hide) + 1) % HIDES.length] }),
    m: () => change({ pool: state.pool === "mean" ? "max" : "mean" }),
    "+": () => zoom("+"),
    "=": () => zoom("+"),
    "-": () => zoom("-"),
    "0": () => zoom("0"),
    Escape: () => change({ query: null, key: null }),
    "/": () => root.querySelector<HTMLInputElement>("input[type=search]")?.focus(),
    e: () => root.querySelector<HTMLButtonElement>(".export button")?.focus(),
    "?": help,
  };
  VIEWS.forEach((view, n) => {
    if (model.views.value.includes(view)) does[`${n + 1}`] = () => change({ view });
  });
  const action = does[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}
