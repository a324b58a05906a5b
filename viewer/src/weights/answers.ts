/** Answers questions about one capture, one after the other, those first that somebody waits to see. */

import { type Beside, Capture } from "../data/capture";
import type { Head, Info, Lens, Look, Span } from "../data/source";
import { Cells, isLarge, type Left } from "./cells";
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

export interface Request {
  id: number;
  /** Null takes the request with this id back. */
  question: Question | null;
}

function infoOf({ header, beside }: Capture): Info {
  const isFilm = Array.isArray(header.provenance.training_steps);
  const many = new Set(header.layers.filter((layer) => layer.call > 0).map((layer) => layer.number));
  return {
    title: String(header.provenance.model ?? "a model"),
    provenance: header.provenance,
    texts: { tokens: header.tokens, source_tokens: header.source_tokens ?? null },
    pictures: header.pictures ?? null,
    batch: header.layers.length && Math.min(...header.layers.map(({ map }) => map.shape[0])),
    layers: header.layers.map(({ path, call, number, heads, map }, layer) => ({
      path,
      call,
      number,
      heads,
      // Of a film the step is said by the slider.
      label: `L${number}${!isFilm && (call || many.has(number)) ? `@${call}` : ""}`,
      queries: map.shape[2],
      keys: map.shape[3],
      hasProducts: map.kind === "factored",
      sides: beside.sides[layer],
    })),
  };
}

/** One capture, and what is kept of it between questions. */
class Answers {
  readonly info: Info;
  /** The coarse tiles of the lens that tiles were asked of last, and what is left of its rows. */
  private pyramid = new Pyramid();
  private left: Left = new Map();
  private pyramidOf = "";

  constructor(private readonly capture: Capture) {
    this.info = infoOf(capture);
  }

  private cells(lens: Lens): Cells {
    return new Cells(this.capture, this.info, lens);
  }

  private tiles(lens: Lens): Cells {
    const now = JSON.stringify(lens);
    if (now !== this.pyramidOf) [this.pyramid, this.left, this.pyramidOf] = [new Pyramid(), new Map(), now];
    return new Cells(this.capture, this.info, lens, this.pyramid, this.left);
  }

  /** Does a part of the work that takes long; whether there was one. */
  advance(question: Question): boolean {
    if (question.kind !== "tile") return false;
    const cells = this.tiles(question.lens);
    this.pyramid.next();
    const part = cells.missing(question.level, question.y, question.x);
    if (part) cells.tile(...part);
    return part !== null;
  }

  to(question: Exclude<Question, { kind: "open" }>): unknown {
    switch (question.kind) {
      case "rows":
        return this.cells(question.lens).meanOfRows(question.from, question.to);
      case "columns":
        return this.cells(question.lens).sumOfColumns(question.from, question.to);
      case "tile":
        return this.tiles(question.lens).tile(question.level, question.y, question.x);
      case "looks":
        return this.looks(question.lens, question.query, question.key);
      case "statistics":
        return this.cells(question.lens).statistics();
      case "products": {
        const { head, text, query, key } = question;
        const weights = new Weights(this.capture, this.capture.header.layers[head[0]].map, text);
        return { products: weights.products(head[1], query, key), weight: weights.rows(head[1], [query], key, 1)[0] };
      }
    }
  }

  private looks(lens: Lens, query: Span, key: Span | null): Look[] {
    const { layers } = this.capture.header;
    const like = layers[lens.heads[0][0]].map.shape;
    return layers.flatMap(({ map }, layer) => {
      if (map.shape[2] !== like[2] || map.shape[3] !== like[3]) return [];
      return Array.from({ length: map.shape[1] }, (_, head): Look => {
        const [weight, at] = this.cells({ ...lens, heads: [[layer, head]] }).look(query, key);
        return { head: [layer, head], weight, key: at };
      });
    });
  }
}

type Waiting = Request & { question: Question };

/** The least goes first: large tiles after what is quick, the smaller of them, of which others are made, sooner. */
function rank(question: Question): number {
  if (question.kind === "statistics") return Infinity; // they fill the overview bit by bit
  return question.kind === "tile" && isLarge(question.level) ? question.level : 0;
}

/** What takes requests about one capture, the first of which opens it; `reply` gets the answers, later. */
export function answering(reply: (answer: Answer) => void): (request: Request) => void {
  let answers: Answers;
  let waiting: Waiting[] = [];
  let isAwake = false;

  function found(question: Question): unknown {
    if (question.kind !== "open") return answers.to(question);
    answers = new Answers(new Capture(question.bytes, question.beside));
    return answers.info;
  }

  function drop(id: number): void {
    waiting = waiting.filter((request) => request.id !== id);
  }

  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {
    if (!waiting.length) {
      isAwake = false;
      return;
    }
    const { id, question } = waiting.reduce((first, other) => (rank(other.question) < rank(first.question) ? other : first));
    try {
      if (question.kind === "open" || !answers.advance(question)) {
        drop(id);
        reply({ id, value: found(question) });
      }
    } catch (error) {
      drop(id);
      reply({ id, error: error instanceof Error ? error.message : String(error) });
    }
    port1.postMessage(null); // back to the queue by way of the event loop, so that requests can be taken back
  };

  return (request) => {
    if (!request.question) {
      drop(request.id);
      return;
    }
    waiting.push(request as Waiting);
    if (!isAwake) {
      isAwake = true;
      port1.postMessage(null);
    }
  };
}
