/** The capture that the page carries, answered by a worker, so that the page stays free for whoever looks at it. */

import type { Beside } from "../data/capture";
import type { Info, Look, Source, Statistics, Tile } from "../data/source";
import { type Answer, answering, type Question, type Request } from "./answers";
import Work from "./worker?worker&inline";

/** Who answers. */
interface Desk {
  send(request: Request, transfer?: Transferable[]): void;
  close(): void;
}

/** A worker. Where the page's policy forbids one, as in some notebooks, the page's own thread does what it would do. */
async function desk(reply: (answer: Answer) => void, broken: (error: Error) => void): Promise<Desk> {
  let worker: Worker | null = null;
  try {
    worker = new Work();
    await started(worker);
  } catch {
    worker?.terminate();
    const receive = answering(reply);
    let isClosed = false;
    return { send: (request) => isClosed || receive(request), close: () => void (isClosed = true) };
  }
  const running = worker;
  running.onmessage = ({ data }: MessageEvent<Answer>) => reply(data);
  running.onerror = (event) => {
    event.preventDefault();
    broken(new Error(event.message || "the worker that computes the weights has stopped; load the page again"));
  };
  return { send: (request, transfer = []) => running.postMessage(request, transfer), close: () => running.terminate() };
}

/** A forbidden worker throws in some browsers; in others it is made, and fails later. */
function started(worker: Worker): Promise<void> {
  return new Promise((yes, no) => {
    worker.onmessage = () => yes();
    worker.onerror = (event) => {
      event.preventDefault();
      no(new Error(event.message));
    };
  });
}

/** Starts a worker on the bytes of a capture, which are its own from then on. */
export async function local(bytes: Uint8Array<ArrayBuffer>, beside: Beside): Promise<Source> {
  const waiting = new Map<number, { done: (x: unknown) => void; fail: (e: Error) => void }>();
  let last = 0;
  const { send, close } = await desk((answer) => {
    const entry = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error !== undefined) entry?.fail(new Error(answer.error));
    else entry?.done(answer.value);
  }, (error) => {
    for (const { fail } of waiting.values()) fail(error);
    waiting.clear();
  });
  const ask = <T>(question: Question, signal?: AbortSignal, transfer: Transferable[] = []): Promise<T> =>
    new Promise((done, fail) => {
      const id = ++last;
      waiting.set(id, { done: done as (x: unknown) => void, fail });
      send({ id, question }, transfer);
      signal?.addEventListener("abort", () => {
        if (!waiting.delete(id)) return;
        send({ id, question: null });
        fail(new DOMException("no longer wanted", "AbortError"));
      });
    });
  const info = await ask<Info>({ kind: "open", bytes, beside }, undefined, [bytes.buffer]).catch((error: Error) => {
    close();
    throw error;
  });
  return {
    info,
    rows: (lens, from, to, signal) => ask<Float32Array>({ kind: "rows", lens, from, to }, signal),
    columns: (lens, from, to, signal) => ask<Float32Array>({ kind: "columns", lens, from, to }, signal),
    tile: (lens, level, y, x, signal) => ask<Tile>({ kind: "tile", lens, level, y, x }, signal),
    products: (head, text, query, key) => ask({ kind: "products", head, text, query, key }),
    looks: (lens, query, key, signal) => ask<Look[]>({ kind: "looks", lens, query, key }, signal),
    statistics: (head, lens, signal) => ask<Statistics>({ kind: "statistics", lens: { ...lens, heads: [head] } }, signal),
    close,
  };
}
