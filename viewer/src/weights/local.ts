/** The capture that the page carries, answered by a worker, so that the page stays free for whoever looks at it. */

import type { Beside } from "../data/capture";
import type { Info, Look, Source, Statistics, Tile } from "../data/source";
import type { Answer, Question } from "./worker";
import Work from "./worker?worker&inline";

/** Starts a worker on the bytes of a capture. */
export async function local(bytes: Uint8Array<ArrayBuffer>, beside: Beside): Promise<Source> {
  const worker = new Work();
  const waiting = new Map<number, { done: (x: unknown) => void; fail: (e: Error) => void }>();
  let last = 0;
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    const entry = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error !== undefined) entry?.fail(new Error(data.error));
    else entry?.done(data.value);
  };
  const ask = <T>(question: Question, signal?: AbortSignal, transfer: Transferable[] = []): Promise<T> =>
    new Promise((done, fail) => {
      const id = ++last;
      waiting.set(id, { done: done as (x: unknown) => void, fail });
      worker.postMessage({ id, question }, transfer);
      signal?.addEventListener("abort", () => {
        if (!waiting.delete(id)) return;
        worker.postMessage({ id, question: null });
        fail(new DOMException("no longer wanted", "AbortError"));
      });
    });
  const info = await ask<Info>({ kind: "open", bytes, beside }, undefined, [bytes.buffer]);
  return {
    info,
    rows: (lens, from, to, signal) => ask<Float32Array>({ kind: "rows", lens, from, to }, signal),
    columns: (lens, from, to, signal) => ask<Float32Array>({ kind: "columns", lens, from, to }, signal),
    tile: (lens, level, y, x, signal) => ask<Tile>({ kind: "tile", lens, level, y, x }, signal),
    products: (head, text, query, key) => ask({ kind: "products", head, text, query, key }),
    looks: (lens, query, key, signal) => ask<Look[]>({ kind: "looks", lens, query, key }, signal),
    statistics: (head, lens, signal) => ask<Statistics>({ kind: "statistics", lens: { ...lens, heads: [head] } }, signal),
    close: () => worker.terminate(),
  };
}
