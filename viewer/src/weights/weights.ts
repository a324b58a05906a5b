/** Attention weights where they are looked at: weight = exp(scale · q·k + bias − lse), and 0 where the mask forbids it. */

import type { Capture, Floats, Mask, MapHeader, Tensor } from "../data/capture";

/** The index of (batch, head, row) into a tensor whose axes of size 1 serve all. */
function row(shape: number[], batch: number, head: number, query: number): number {
  const [b, h, i] = shape;
  return ((b === 1 ? 0 : batch) * h + (h === 1 ? 0 : head)) * i + (i === 1 ? 0 : query);
}

/** Makes 0 in `marks` of what a query may not attend to, among the keys from `first`. */
type Forbid = (marks: Uint8Array, batch: number, head: number, query: number, first: number) => void;

function reader(capture: Capture, mask: Mask): Forbid {
  if (mask.kind === "both") {
    const parts = mask.parts.map((part) => reader(capture, part));
    return (marks, b, h, i, first) => parts.forEach((forbid) => forbid(marks, b, h, i, first));
  }
  if (mask.kind === "explicit") {
    const { shape, data } = capture.tensor(mask.allowed);
    return (marks, b, h, i, first) => {
      const start = row(shape, b, h, i) * shape[3] + first;
      for (let c = 0; c < marks.length; c++) if (data[start + c] === 0) marks[c] = 0;
    };
  }
  const starts = capture.tensor(mask.starts);
  const stops = capture.tensor(mask.stops);
  const present = mask.present === undefined ? null : capture.tensor(mask.present);
  return (marks, b, h, i, first) => {
    marks.fill(0, 0, Math.max(0, starts.data[row(starts.shape, b, h, i)] - first));
    marks.fill(0, Math.max(0, stops.data[row(stops.shape, b, h, i)] - first));
    if (!present) return;
    const [pb, ph, keys] = present.shape;
    const start = ((pb === 1 ? 0 : b) * ph + (ph === 1 ? 0 : h)) * keys + first;
    for (let c = 0; c < marks.length; c++) if (present.data[start + c] === 0) marks[c] = 0;
  };
}

/** So many queries meet each key at once: a key is read and widened once for all of them. */
const ABREAST = 4;

/** The map of one attention call, for one text of the batch. */
export class Weights {
  readonly queries: number;
  readonly keys: number;
  private readonly forbid: Forbid | null;

  constructor(
    private readonly capture: Capture,
    private readonly header: MapHeader,
    private readonly batch: number,
  ) {
    [, , this.queries, this.keys] = header.shape;
    this.forbid = header.mask && header.kind === "factored" ? reader(capture, header.mask) : null;
  }

  private part(name: string): Tensor<Floats> | null {
    const tensor = this.header.tensors[name];
    return tensor === undefined ? null : (this.capture.tensor(tensor) as Tensor<Floats>);
  }

  /** The weights of some queries on keys `first … first+columns`, row by row. */
  rows(head: number, chosen: ArrayLike<number>, first: number, columns: number): Float32Array {
    const found = new Float32Array(chosen.length * columns);
    const { header, batch } = this;
    const [, heads, queries, keys] = header.shape;
    if (header.kind === "stored") {
      const { data } = this.part("weights")!;
      for (let r = 0; r < chosen.length; r++) {
        const start = ((batch * heads + head) * queries + chosen[r]) * keys + first;
        found.set(data.subarray(start, start + columns), r * columns);
      }
      return found;
    }
    const q = this.part("q")!;
    const k = this.part("k")!;
    const lse = this.part("lse")!.data;
    const bias = this.part("bias");
    const width = q.shape[3];
    const keyHead = Math.floor(head / (heads / k.shape[1]));
    const keyStart = ((batch * k.shape[1] + keyHead) * keys + first) * width;
    const start = (batch * heads + head) * queries;
    const abreast = new Float64Array(ABREAST * width);
    const scores = new Float64Array(ABREAST * columns);
    const marks = this.forbid && new Uint8Array(columns);
    for (let r = 0; r < chosen.length; r += ABREAST) {
      const count = Math.min(ABREAST, chosen.length - r);
      for (let i = 0; i < count; i++) {
        const place = (start + chosen[r + i]) * width;
        for (let d = 0; d < width; d++) abreast[d * ABREAST + i] = header.scale * q.data[place + d];
      }
      multiply(abreast, k.data, keyStart, scores, columns);
      for (let i = 0; i < count; i++) {
        const query = chosen[r + i];
        const normalizer = lse[start + query];
        if (normalizer === -Infinity) continue;
        if (marks) this.forbid!(marks.fill(1), batch, head, query, first);
        const biasStart = bias ? row(bias.shape, batch, head, query) * keys + first : 0;
        const out = (r + i) * columns;
        if (header.softcap === null && !bias && !marks) {
          for (let c = 0; c < columns; c++) found[out + c] = Math.exp(scores[c * ABREAST + i] - normalizer);
          continue;
        }
        for (let c = 0; c < columns; c++) {
          if (marks && marks[c] === 0) continue;
          let score = scores[c * ABREAST + i];
          if (header.softcap !== null) score = header.softcap * Math.tanh(score / header.softcap);
          if (bias) score += bias.data[biasStart + c];
          found[out + c] = Math.exp(score - normalizer);
        }
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

/** The products of four queries, whose dimensions lie side by side, with `count` keys from `start`. */
function multiply(queries: Float64Array, keys: Floats, start: number, into: Float64Array, count: number): void {
  let place = start;
  for (let c = 0; c < count; c++) {
    let [a, b, x, y] = [0, 0, 0, 0];
    for (let d = 0; d < queries.length; d += ABREAST, place++) {
      const key = keys[place];
      a += queries[d] * key;
      b += queries[d + 1] * key;
      x += queries[d + 2] * key;
      y += queries[d + 3] * key;
    }
    into[c * ABREAST] = a;
    into[c * ABREAST + 1] = b;
    into[c * ABREAST + 2] = x;
    into[c * ABREAST + 3] = y;
  }
}
