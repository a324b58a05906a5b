/** What a server answers of the capture that it holds. */

import { signal } from "@preact/signals";
import type { Text } from "./capture";
import type { Info, Lens, Look, Source, Statistics, Tile } from "./source";

/** A text as the server writes it: special pieces and words by their numbers. */
interface SentText {
  pieces: string[];
  special: number[];
  word_of: number[];
  words: string[];
  word_special: number[];
}

type SentInfo = Omit<Info, "texts"> & { texts: Record<keyof Info["texts"], SentText[] | null> };

type Values = Record<string, string | number>;

const ASK_AGAIN = 400;
/** Milliseconds before a question that the server has no time for is asked again; after the last of them it fails. */
const PAUSES = [250, 500, 1000, 2000, 4000];
/** Browsers keep six connections to a server: what fills the overview bit by bit must leave some to who looks. */
const AT_ONCE = 2;

function lensOf({ heads, unit, hide, text }: Lens): Values {
  return { heads: heads.map((head) => head.join(".")).join(","), unit, hide, text };
}

async function ask(name: string, values: Values, abort?: AbortSignal): Promise<Response> {
  const query = new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)]));
  for (let times = 0; ; times++) {
    let answer: Response;
    try {
      answer = await fetch(`${name}?${query}`, { signal: abort, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if ((error as Error).name === "AbortError") throw error;
      throw new Error("The server does not answer: was it stopped?");
    }
    if (answer.ok) return answer;
    const { error } = (await answer.json().catch(() => ({}))) as { error?: string };
    const isBusy = answer.status === 429 || answer.status === 503;
    if (!isBusy || times === PAUSES.length) throw new Error(error ?? `The server answers ${answer.status}.`);
    await wait(PAUSES[times], abort);
  }
}

/** Numbers, little-endian as on every processor that browsers run on: first whole ones, then floats. */
function read(bytes: ArrayBuffer, whole: number): [numbers: Int32Array, floats: Float32Array] {
  return [new Int32Array(bytes, 0, whole), new Float32Array(bytes, 4 * whole)];
}

function marks(count: number, set: number[]): boolean[] {
  const found = new Array<boolean>(count).fill(false);
  for (const at of set) found[at] = true;
  return found;
}

function textOf({ pieces, special, word_of, words, word_special }: SentText): Text {
  return {
    text: "",
    pieces,
    offsets: [],
    special: marks(pieces.length, special),
    padding: [],
    word_of,
    words,
    word_special: marks(words.length, word_special),
  };
}

const wait = (milliseconds: number, abort?: AbortSignal): Promise<void> =>
  new Promise((done, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(new DOMException("no longer wanted", "AbortError"));
    };
    const timer = setTimeout(() => {
      abort?.removeEventListener("abort", stop);
      done();
    }, milliseconds);
    if (abort?.aborted) stop();
    else abort?.addEventListener("abort", stop, { once: true });
  });

/** Lets so many of the things that are to be done go on at once, the rest in turn. */
function turns(most: number): <T>(act: () => Promise<T>, abort?: AbortSignal) => Promise<T> {
  const queue: (() => void)[] = [];
  let now = 0;
  return async (act, abort) => {
    if (now >= most) await new Promise<void>((done) => queue.push(done));
    else now++;
    try {
      abort?.throwIfAborted();
      return await act();
    } finally {
      const next = queue.shift();
      if (next) next(); // which takes this turn
      else now--;
    }
  };
}

/** Asks the server that the page came from. */
export async function remote(): Promise<Source> {
  const sent = (await (await ask("info", {})).json()) as SentInfo;
  const info: Info = { ...sent, texts: { tokens: sent.texts.tokens?.map(textOf) ?? null, source_tokens: sent.texts.source_tokens?.map(textOf) ?? null } };
  const progress = signal<{ done: number; of: number } | null>(null);
  const later = turns(AT_ONCE);
  let waiting = 0;

  /** Asks how far the pass over a long map is, until it is done; the server makes it while somebody asks. */
  async function overview(lens: Lens, abort: AbortSignal): Promise<void> {
    waiting++;
    try {
      for (;;) {
        const now = (await (await ask("progress", lensOf(lens), abort)).json()) as { done: number; of: number };
        progress.value = now;
        if (now.done === now.of) return;
        await wait(ASK_AGAIN, abort);
      }
    } finally {
      if (!--waiting) progress.value = null;
    }
  }

  async function tile(lens: Lens, level: number, y: number, x: number, abort?: AbortSignal): Promise<Tile> {
    const answer = await ask("tile", { ...lensOf(lens), level, y, x }, abort);
    const [[rows, columns, sampled, hasMax], floats] = read(await answer.arrayBuffer(), 4);
    const mean = floats.slice(0, rows * columns);
    const max = hasMax ? floats.slice(rows * columns) : mean;
    if (!sampled) return { rows, columns, mean, max };
    const exact = async (signal: AbortSignal) => {
      await overview(lens, signal);
      return tile(lens, level, y, x, signal);
    };
    return { rows, columns, mean, max, preview: { exact } };
  }

  const floats = async (name: string, values: Values, abort?: AbortSignal) => new Float32Array(await (await ask(name, values, abort)).arrayBuffer());
  return {
    info,
    progress,
    rows: (lens, from, to, abort) => floats("rows", { ...lensOf(lens), from, to }, abort),
    columns: (lens, from, to, abort) => floats("columns", { ...lensOf(lens), from, to }, abort),
    tile,
    async products([layer, head], text, query, key) {
      const found = (await (await ask("products", { layer, head, text, query, key })).json()) as { products: number[] | null; weight: number | null };
      return { products: found.products && Float32Array.from(found.products, (x) => x ?? NaN), weight: found.weight ?? NaN };
    },
    async looks(lens, query, key, abort) {
      const values: Values = { ...lensOf(lens), from: query[0], to: query[1] };
      if (key) Object.assign(values, { first: key[0], last: key[1] });
      const found = (await (await ask("looks", values, abort)).json()) as (Omit<Look, "weight"> & { weight: number | null })[];
      return found.map((look) => ({ ...look, weight: look.weight ?? NaN }));
    },
    async statistics(head, lens, abort): Promise<Statistics> {
      const answer = await later(() => ask("statistics", lensOf({ ...lens, heads: [head] }), abort), abort);
      const [[count, of, rows, columns], numbers] = read(await answer.arrayBuffer(), 4);
      const [entropy, distance, first, previous] = numbers;
      return { entropy, distance, first, previous, sampled: [count, of], thumbnail: numbers.slice(4), side: [rows, columns] };
    },
    close() {
      progress.value = null;
    },
  };
}
