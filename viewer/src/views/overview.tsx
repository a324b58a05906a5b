/** Layers × heads, each a thumbnail. */

import { useEffect, useRef } from "preact/hooks";
import type { Head, Look, Statistics } from "../data/source";
import { paint, scaleTo } from "../marks/color";
import { SORTS, type Sort } from "../state";
import { headName, weightText } from "./format";
import type { Model } from "./model";

const WORDS: Record<Sort, string> = {
  layer: "layer and head",
  look: "what the selection looks at",
  entropy: "entropy, focused first",
  distance: "distance, far first",
  first: "attention to the first token",
  previous: "attention to the token before",
};

export function Overview({ model }: { model: Model }) {
  const { store, source } = model;
  const { sort, heads } = store.state.value;
  const statistics = model.statistics.value;
  const looks = new Map((model.looks.value ?? []).map((look) => [look.head.join("."), look]));
  const value = (head: Head): number => {
    const key = head.join(".");
    if (sort === "look") return looks.get(key)?.weight ?? -1;
    const known = statistics.get(key);
    if (!known || sort === "layer") return 0;
    return sort === "entropy" ? -known.entropy : known[sort];
  };
  const order = model.heads;
  if (sort !== "layer") order.sort((a, b) => value(b) - value(a));
  const across = Math.max(...source.info.layers.map((layer) => layer.heads.length));

  function choose(head: Head, isMore: boolean) {
    const key = head.join(".");
    const without = heads.filter((x) => x.join(".") !== key);
    if (!isMore) store.set({ heads: [head] });
    else if (without.length < heads.length) store.set({ heads: without.length ? without : heads });
    else if (sameShape(model, head)) store.set({ heads: [...heads, head] });
  }

  return (
    <nav class="overview" aria-label="Heads">
      <label class="field">
        Heads by
        <select value={sort} onChange={(event) => store.set({ sort: event.currentTarget.value as Sort })}>
          {SORTS.map((name) => (
            <option value={name} disabled={name === "look" && !model.looks.value}>
              {WORDS[name]}
            </option>
          ))}
        </select>
      </label>
      <ol class={`heads${sort === "layer" ? " is-grid" : ""}`} style={sort === "layer" ? { gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` } : undefined}>
        {order.map((head) => {
          const key = head.join(".");
          const position = heads.findIndex((x) => x.join(".") === key);
          return (
            <li key={key} style={sort === "layer" ? { gridRow: head[0] + 1, gridColumn: head[1] + 1 } : undefined}>
              <HeadButton
                model={model}
                head={head}
                statistics={statistics.get(key)}
                look={looks.get(key)}
                isChosen={position >= 0}
                onChoose={(isMore) => choose(head, isMore)}
              />
            </li>
          );
        })}
      </ol>
      <p class="hint">Ctrl-click (⌘) for several heads, averaged.</p>
    </nav>
  );
}

function sameShape(model: Model, [layer]: Head): boolean {
  const { layers } = model.source.info;
  const first = layers[model.store.now.heads[0][0]];
  return layers[layer].queries === first.queries && layers[layer].keys === first.keys;
}

interface HeadProps {
  model: Model;
  head: Head;
  statistics: Statistics | undefined;
  look: Look | undefined;
  isChosen: boolean;
  onChoose: (isMore: boolean) => void;
}

function HeadButton({ model, head, statistics, look, isChosen, onChoose }: HeadProps) {
  const name = headName(model.source.info, head);
  const { sort } = model.store.state.value;
  const words = model.keyWords.value;
  const says: Record<Sort, string | null> = {
    layer: null,
    look: look ? `${words[look.key] ?? ""} ${weightText(look.weight)}` : null,
    entropy: statistics ? `${statistics.entropy.toFixed(2)} nats` : null,
    distance: statistics ? `${statistics.distance.toFixed(1)} away` : null,
    first: statistics ? weightText(statistics.first) : null,
    previous: statistics ? weightText(statistics.previous) : null,
  };
  const detail = statistics
    ? `entropy ${statistics.entropy.toFixed(2)} nats, distance ${statistics.distance.toFixed(1)}, first token ${weightText(statistics.first)}, token before ${weightText(statistics.previous)}` +
      (statistics.sampled[0] < statistics.sampled[1] ? `; from ${statistics.sampled[0]} of ${statistics.sampled[1]} rows` : "")
    : "being computed";
  return (
    <button
      type="button"
      class={`head${isChosen ? " is-chosen" : ""}`}
      aria-pressed={isChosen}
      aria-label={`${name}${says[sort] ? `, ${says[sort]}` : ""}`}
      title={`${name}: ${detail}`}
      onClick={(event) => onChoose(event.ctrlKey || event.metaKey || event.shiftKey)}
    >
      <Thumbnail model={model} statistics={statistics} />
      <span class="name">{name}</span>
      {says[sort] && <span class="says">{says[sort]}</span>}
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
