/** Layers × heads, each a thumbnail. */

import { useEffect, useRef } from "preact/hooks";
import type { Head, Look, Statistics } from "../data/source";
import { inkOn, paint, scaleTo } from "../marks/color";
import { SORTS, type Sort } from "../state";
import { headName, weightText } from "./format";
import { Ramp } from "./legend";
import type { Model } from "./model";

const WORDS: Record<Sort, string> = {
  layer: "layer and head",
  look: "what the selection looks at",
  entropy: "entropy, focused first",
  distance: "distance, far first",
  first: "attention to the first token",
  previous: "attention to the token before",
};

const UNITS: Record<Sort, string> = { layer: "", look: "weight", entropy: "nats", distance: "tokens away", first: "weight", previous: "weight" };

export function Overview({ model }: { model: Model }) {
  const { store, source } = model;
  const { heads, sort: wanted, sorted } = store.state.value;
  const sort = wanted === "look" && !model.looks.value ? "layer" : wanted;
  const statistics = model.statistics.value;
  const looks = new Map((model.looks.value ?? []).map((look) => [look.head.join("."), look]));
  const value = (head: Head): number => {
    const key = head.join(".");
    if (sort === "look") return looks.get(key)?.weight ?? -1;
    const known = statistics.get(key);
    if (!known || sort === "layer") return 0;
    if (!Number.isFinite(known[sort])) return -Infinity; // the last
    return sort === "entropy" ? -known.entropy : known[sort];
  };
  const order = model.heads;
  const isGrid = sort === "layer" || !sorted;
  if (!isGrid) order.sort((a, b) => value(b) - value(a));
  const layers = [...new Set(order.map(([layer]) => layer))];
  const across = Math.max(...layers.map((layer) => source.info.layers[layer].heads.length));
  const share = (head: Head): number => {
    const own = value(head);
    return sort === "layer" || !Number.isFinite(own) ? 0 : sort === "entropy" ? -own : Math.max(0, own);
  };
  const most = Math.max(1e-9, ...order.map(share));
  const sampled = statistics.values().next().value?.sampled;

  function choose(head: Head, isMore: boolean) {
    const key = head.join(".");
    const without = heads.filter((x) => x.join(".") !== key);
    if (!isMore) store.set({ heads: [head] });
    else if (without.length < heads.length) store.set({ heads: without.length ? without : heads });
    else if (sameShape(model, head)) store.set({ heads: [...heads, head] });
  }

  const list = useRef<HTMLOListElement>(null);
  const stop = order.find((head) => `${head}` === `${heads[0]}`) ?? order[0];

  /** Within the heads, arrows go from one to the next, by rows as they are seen. */
  function turn(event: KeyboardEvent) {
    const buttons = [...list.current!.querySelectorAll<HTMLElement>(".head")];
    const at = buttons.indexOf(event.target as HTMLElement);
    const row = buttons.filter((button) => button.offsetTop === buttons[0].offsetTop).length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // outside of the heads arrows move the selection
    buttons[to]?.focus();
  }

  return (
    <nav class="overview" aria-label="Heads">
      <label class="field">
        Heads by
        <select value={wanted} onChange={(event) => store.set({ sort: event.currentTarget.value as Sort })}>
          {SORTS.map((name) => (
            <option value={name}>
              {WORDS[name]}
            </option>
          ))}
        </select>
      </label>
      {sort !== "layer" && (
        <label class="field">
          <input type="checkbox" checked={sorted} onChange={(event) => store.set({ sorted: event.currentTarget.checked })} />
          in this order
        </label>
      )}
      {sort !== "layer" && most > 1e-8 && (
        <p class="hint">
          names: <Ramp scale={scaleTo(most, false, model.ground.value)} /> {UNITS[sort]}
        </p>
      )}
      <ol
        ref={list}
        onKeyDown={turn}
        class={`heads${isGrid ? " is-grid" : ""}`} style={isGrid ? { gridTemplateColumns: `auto repeat(${across}, minmax(0, 1fr))` } : undefined}
      >
        {isGrid &&
          layers.map((layer, n) => (
            <li class="quiet" aria-hidden="true" style={{ gridRow: n + 1, gridColumn: 1 }}>
              {source.info.layers[layer].label}
            </li>
          ))}
        {order.map((head) => {
          const key = head.join(".");
          const position = heads.findIndex((x) => x.join(".") === key);
          return (
            <li key={key} style={isGrid ? { gridRow: layers.indexOf(head[0]) + 1, gridColumn: head[1] + 2 } : undefined}>
              <HeadButton
                model={model}
                head={head}
                sort={sort}
                share={share(head) / most}
                isShort={isGrid}
                statistics={statistics.get(key)}
                look={looks.get(key)}
                isChosen={position >= 0}
                isStop={`${head}` === `${stop}`}
                onChoose={(isMore) => choose(head, isMore)}
              />
            </li>
          );
        })}
      </ol>
      <p class="hint">
        Ctrl-click (⌘), or Shift and Enter, for several heads. Thumbnails show the largest weights.
        {sampled && sampled[0] < sampled[1] && ` They and the numbers of heads are made of ${sampled[0]} of ${sampled[1]} rows.`}
      </p>
    </nav>
  );
}

function sameShape(model: Model, [layer]: Head): boolean {
  const { layers } = model.source.info;
  const first = layers[model.store.now.heads[0][0]];
  return layers[layer].queries === first.queries && layers[layer].keys === first.keys;
}

/** What is not a number, such as the distance between places in two texts, is a dash. */
const orNone = (x: number, text: (x: number) => string): string => (Number.isFinite(x) ? text(x) : "–");

interface HeadProps {
  model: Model;
  head: Head;
  statistics: Statistics | undefined;
  look: Look | undefined;
  sort: Sort;
  /** How much of the strongest of all heads, by what they are sorted by. */
  share: number;
  /** Whether there is room for the head's number alone. */
  isShort: boolean;
  isChosen: boolean;
  /** Whether Tab stops at it; from there arrows lead to the others. */
  isStop: boolean;
  onChoose: (isMore: boolean) => void;
}

function HeadButton({ model, head, statistics, look, sort, share, isShort, isChosen, isStop, onChoose }: HeadProps) {
  const name = headName(model.source.info, head);
  const words = model.keyWords.value;
  const scale = scaleTo(1, false, model.ground.value);
  const says: Record<Sort, string | null> = {
    layer: null,
    look: look ? `${words[look.key] ?? ""} ${weightText(look.weight)}` : null,
    entropy: statistics ? orNone(statistics.entropy, (x) => `${x.toFixed(2)} nats`) : null,
    distance: statistics ? orNone(statistics.distance, (x) => `${x.toFixed(1)} away`) : null,
    first: statistics ? orNone(statistics.first, weightText) : null,
    previous: statistics ? orNone(statistics.previous, weightText) : null,
  };
  const detail = statistics
    ? `entropy ${says.entropy}, distance ${orNone(statistics.distance, (x) => x.toFixed(1))}, first token ${says.first}, token before ${says.previous}` +
      (statistics.sampled[0] < statistics.sampled[1] ? `; from ${statistics.sampled[0]} of ${statistics.sampled[1]} rows` : "")
    : "being computed";
  return (
    <button
      type="button"
      class={`head${isChosen ? " is-chosen" : ""}`}
      aria-pressed={isChosen}
      tabIndex={isStop ? 0 : -1}
      title={`${name}: ${detail}`}
      onClick={(event) => onChoose(event.ctrlKey || event.metaKey || event.shiftKey)}
    >
      <Thumbnail model={model} statistics={statistics} />
      <span class="name" style={sort !== "layer" ? { background: scale.css(share), color: inkOn(scale, share) } : undefined}>
        {isShort ? (
          <>
            <span class="unseen">{name}</span>
            <span aria-hidden="true">{model.source.info.layers[head[0]].heads[head[1]]}</span>
          </>
        ) : (
          name
        )}
      </span>
      {says[sort] && <span class={isShort ? "unseen" : "says"}> {says[sort]}</span>}
    </button>
  );
}

function Thumbnail({ model, statistics }: { model: Model; statistics: Statistics | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [ground, isLog] = [model.ground.value, model.store.state.value.log];
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !statistics) return;
    const [rows, columns] = statistics.side;
    let most = 0;
    for (const x of statistics.thumbnail) if (x > most) most = x;
    context.canvas.width = columns;
    context.canvas.height = rows;
    context.putImageData(paint(statistics.thumbnail, rows, columns, scaleTo(most, isLog, ground)), 0, 0);
  }, [statistics, ground, isLog]);
  return <canvas ref={canvas} class="thumbnail" aria-hidden="true" data-waiting={!statistics} width={1} height={1} />;
}
