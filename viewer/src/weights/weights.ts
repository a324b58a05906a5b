/** Attention weights where they are looked at: weight = exp(scale · q·k + bias − lse), and 0 where the mask forbids it. */

import type { Capture, Mask, MapHeader, Tensor } from "../data/capture";

/** The index of (batch, head, row) into a tensor whose axes of size 1 serve all. */
function row(shape: number[], batch: number, head: number, query: number): number {
  const [b, h, i] = shape;
  return ((b === 1 ? 0 : batch) * h + (h === 1 ? 0 : head)) * i + (i === 1 ? 0 : query);
}

type Allowed = (batch: number, head: number, query: number) => (key: number) => boolean;

function reader(capture: Capture, mask: Mask): Allowed {
  if (mask.kind === "both") {
    const [first, second] = mask.parts.map((part) => reader(capture, part));
    return (b, h, i) => {
      const one = first(b, h, i);
      const two = second(b, h, i);
      return (j) => one(j) && two(j);
    };
  }
  if (mask.kind === "explicit") {
    const { shape, data } = capture.tensor(mask.allowed);
    return (b, h, i) => {
      const start = row(shape, b, h, i) * shape[3];
      return (j) => data[start + j] !== 0;
    };
  }
  const starts = capture.tensor(mask.starts);
  const stops = capture.tensor(mask.stops);
  const present = mask.present === undefined ? null : capture.tensor(mask.present);
  return (b, h, i) => {
    const start = starts.data[row(starts.shape, b, h, i)];
    const stop = stops.data[row(stops.shape, b, h, i)];
    if (!present) return (j) => start <= j && j < stop;
    const [pb, ph, keys] = present.shape;
    const first = ((pb === 1 ? 0 : b) * ph + (ph === 1 ? 0 : h)) * keys;
    return (j) => start <= j && j < stop && present.data[first + j] !== 0;
  };
}

/** The map of one attention call, for one text of the batch. */
export class Weights {
  readonly queries: number;
  readonly keys: number;
  private readonly allowed: Allowed | null;

  constructor(
    private readonly capture: Capture,
    private readonly header: MapHeader,
    private readonly batch: number,
  ) {
    [, , this.queries, this.keys] = header.shape;
    this.allowed = header.mask && header.kind === "factored" ? reader(capture, header.mask) : null;
  }

  private part(name: string): Tensor | null {
    const tensor = this.header.tensors[name];
    return tensor === undefined ? null : this.capture.tensor(tensor);
  }

  /** The weights of queries `from … from+rows` on keys `first … first+columns`, row by row. */
  tile(head: number, from: number, rows: number, first: number, columns: number): Float32Array {
    const found = new Float32Array(rows * columns);
    const { header, batch } = this;
    const [, heads, queries, keys] = header.shape;
    if (header.kind === "stored") {
      const { data } = this.part("weights")!;
      for (let r = 0; r < rows; r++) {
        const start = ((batch * heads + head) * queries + from + r) * keys + first;
        for (let c = 0; c < columns; c++) found[r * columns + c] = data[start + c];
      }
      return found;
    }
    const q = this.part("q")!;
    const k = this.part("k")!;
    const lse = this.part("lse")!.data;
    const bias = this.part("bias");
    const width = q.shape[3];
    const keyHead = Math.floor(head / (heads / k.shape[1]));
    const keyStart = (batch * k.shape[1] + keyHead) * keys;
    for (let r = 0; r < rows; r++) {
      const query = from + r;
      const place = (batch * heads + head) * queries + query;
      const normalizer = lse[place];
      if (normalizer === -Infinity) continue;
      const allowed = this.allowed?.(batch, head, query);
      const biasStart = bias ? row(bias.shape, batch, head, query) * keys : 0;
      for (let c = 0; c < columns; c++) {
        const key = first + c;
        if (allowed && !allowed(key)) continue;
        let score = header.scale * dot(q.data, place * width, k.data, (keyStart + key) * width, width);
        if (header.softcap !== null) score = header.softcap * Math.tanh(score / header.softcap);
        if (bias) score += bias.data[biasStart + key];
        found[r * columns + c] = Math.exp(score - normalizer);
      }
    }
    return found;
  }

  /** What each dimension of the head adds to a score, scale included; null where the weights alone were kept. */
  products(head: number, query: number, key: number): Float32Array | null {
    const q = this.part("q");
    const k = this.part("k");
    if (!q || !k || this.header.kind === "stored") return null;
    const [, heads, queries, keys] = this.header.shape;
    const width = q.shape[3];
    const keyHead = Math.floor(head / (heads / k.shape[1]));
    const a = ((this.batch * heads + head) * queries + query) * width;
    const b = ((this.batch * k.shape[1] + keyHead) * keys + key) * width;
    return Float32Array.from({ length: width }, (_, d) => this.header.scale * q.data[a + d] * k.data[b + d]);
  }
}

function dot(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, width: number): number {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += a[i + d] * b[j + d];
  return sum;
}
