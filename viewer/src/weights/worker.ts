/** Answers questions about one capture, one after the other, the newest kinds first that somebody waits to see. */

import { type Beside, Capture } from "../data/capture";
import type { Head, Info, Lens, Look, Span } from "../data/source";
import { Cells } from "./cells";
import { Pyramid } from "./pyramid";
import { Weights } from "./weights";

export type Question =
  | { kind: "open"; bytes: Uint8Array<ArrayBuffer>; beside: Beside }
  | { kind: "rows" | "columns"; lens: Lens; from: number; to: number }
  | { kind: "tile"; lens: Lens; level: number; y: number; x: number }
  | { kind: "products"; head: Head; text: number; query: number; key: number }
  | { kind: "looks"; lens: Lens; query: Span; key: Span | null }
  | { kind: "statistics"; lens: Lens };

export interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

interface Request {
  id: number;
  /** Null takes the request with this id back. */
  question: Question | null;
}

let capture: Capture;
let info: Info;
/** The coarse tiles of the lens that tiles were asked of last. */
let pyramid = new Pyramid();
let pyramidOf = "";

function seen(lens: Lens): Cells {
  const now = JSON.stringify(lens);
  if (now !== pyramidOf) [pyramid, pyramidOf] = [new Pyramid(), now];
  return new Cells(capture, info, lens, pyramid);
}

/** Does a part of the work that takes long; whether there was one. */
function advanced(question: Question): boolean {
  if (question.kind !== "tile") return false;
  const cells = seen(question.lens);
  const part = cells.missing(question.level, question.y, question.x);
  if (part) cells.tile(...part);
  return part !== null;
}

function infoOf(): Info {
  const { header } = capture;
  const many = new Set(header.layers.filter((layer) => layer.call > 0).map((layer) => layer.number));
  return {
    title: String(header.provenance.model ?? "a model"),
    provenance: header.provenance,
    texts: { tokens: header.tokens, source_tokens: header.source_tokens ?? null },
    pictures: header.pictures ?? null,
    batch: header.layers[0]?.map.shape[0] ?? 0,
    layers: header.layers.map(({ path, call, number, heads, map }, layer) => ({
      path,
      call,
      number,
      heads,
      label: `L${number}${call || many.has(number) ? `@${call}` : ""}`,
      queries: map.shape[2],
      keys: map.shape[3],
      hasProducts: map.kind === "factored",
      sides: capture.beside.sides[layer],
    })),
  };
}

function looks(lens: Lens, query: Span, key: Span | null): Look[] {
  const [chosen] = lens.heads;
  const like = capture.header.layers[chosen[0]].map.shape;
  return capture.header.layers.flatMap(({ map }, layer) => {
    if (map.shape[2] !== like[2] || map.shape[3] !== like[3]) return [];
    return Array.from({ length: map.shape[1] }, (_, head): Look => {
      const [weight, at] = new Cells(capture, info, { ...lens, heads: [[layer, head]] }).look(query, key);
      return { head: [layer, head], weight, key: at };
    });
  });
}

function answer(question: Question): unknown {
  switch (question.kind) {
    case "open":
      capture = new Capture(question.bytes, question.beside);
      info = infoOf();
      return info;
    case "rows":
      return new Cells(capture, info, question.lens).meanOfRows(question.from, question.to);
    case "columns":
      return new Cells(capture, info, question.lens).sumOfColumns(question.from, question.to);
    case "tile":
      return seen(question.lens).tile(question.level, question.y, question.x);
    case "looks":
      return looks(question.lens, question.query, question.key);
    case "statistics":
      return new Cells(capture, info, question.lens).statistics();
    case "products": {
      const { head, text, query, key } = question;
      const weights = new Weights(capture, capture.header.layers[head[0]].map, text);
      return { products: weights.products(head[1], query, key), weight: weights.rows(head[1], [query], key, 1)[0] };
    }
  }
}

// Statistics fill the overview bit by bit; whatever else is asked for goes before them.
const soon: Request[] = [];
const later: Request[] = [];
let isAwake = false;

const { port1, port2 } = new MessageChannel();
port2.onmessage = () => {
  const next = soon.shift() ?? later.shift();
  if (!next?.question) {
    isAwake = false;
    return;
  }
  const reply: Answer = { id: next.id };
  try {
    if (advanced(next.question)) soon.push(next);
    else reply.value = answer(next.question);
  } catch (error) {
    reply.error = error instanceof Error ? error.message : String(error);
  }
  if (soon.at(-1) !== next) self.postMessage(reply);
  port1.postMessage(null); // back to the queue by way of the event loop, so that requests can be taken back
};

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if (!data.question) {
    for (const queue of [soon, later]) {
      const place = queue.findIndex(({ id }) => id === data.id);
      if (place >= 0) queue.splice(place, 1);
    }
    return;
  }
  (data.question.kind === "statistics" ? later : soon).push(data);
  if (!isAwake) {
    isAwake = true;
    port1.postMessage(null);
  }
};
