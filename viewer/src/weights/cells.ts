/** Weights through a lens: by pieces or words, of one head or the mean of several, with keys taken out or all. */

import type { Capture, Floats, MapHeader } from "../data/capture";
import { type Info, type Lens, type Span, type Statistics, TILE, type Tile } from "../data/source";
import { type Groups, groupsOf } from "../data/texts";
import { Pyramid } from "./pyramid";
import { Weights } from "./weights";

const THUMBNAIL = 48;
const SAMPLE = 96;
/** So many weights are computed at once, so that they stay in the processor's cache. */
const CHUNK = 2 ** 16;
/** Where hidden keys leave a row less than this, what is left is summed: 1 − what they took would keep too few digits. */
const LITTLE = 0.01;
/** A row that has no more than this left is shown as 0: float32 has no digits for its weights. */
const GONE = 1e-30;

/** Tiles of this level are made at once, of 1,024 × 1,024 weights. */
const STEP = 2;

/** Whether tiles of a level are made in several steps. */
export const isLarge = (level: number): boolean => level > STEP;

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** What is left of the row of each query once keys are hidden, by the place of a head in its lens; NaN for not known yet. */
export type Left = Map<number, Float32Array>;

/** What a lens shows, as a matrix of cells. */
export class Cells {
  readonly rows: Groups;
  readonly columns: Groups;
  private readonly maps: { weights: Weights; head: number; header: MapHeader }[];
  private readonly hidden: number[];
  /** Runs of keys: those that are shown, and the others, where some are hidden. */
  private readonly kept: Span[] = [];
  private readonly taken: Span[] = [];
  private readonly isSelf: boolean;
  private readonly isCross: boolean;

  constructor(
    private readonly capture: Capture,
    info: Info,
    private readonly lens: Lens,
    /** Keeps what coarse tiles are made of. */
    private readonly pyramid = new Pyramid(),
    private readonly known: Left = new Map(),
  ) {
    const { layers } = capture.header;
    this.maps = lens.heads.map(([layer, head]) => ({ weights: new Weights(capture, layers[layer].map, lens.text), head, header: layers[layer].map }));
    const [[layer]] = lens.heads;
    const [from, to] = info.layers[layer].sides;
    this.isSelf = from !== null && from[0] === to?.[0];
    this.isCross = to?.[0] === "source_tokens" && from?.[0] !== to[0];
    this.rows = groupsOf(info, layer, 0, lens.text, lens.unit);
    this.columns = groupsOf(info, layer, 1, lens.text, lens.unit);
    const taken = lens.hide === "special" ? (g: number) => this.columns.special[g] : (g: number) => g === this.columns.first;
    this.hidden = lens.hide === "nothing" ? [] : this.columns.spans.map((_, g) => g).filter(taken);
    if (!this.hidden.length) return;
    const isHidden = new Set(this.hidden);
    let end = 0;
    this.columns.spans.forEach(([a, b], g) => {
      if (isHidden.has(g)) return;
      if (a > end || !this.kept.length) this.kept.push([a, b]);
      else this.kept[this.kept.length - 1] = [this.kept[this.kept.length - 1][0], b];
      end = b;
    });
    end = 0;
    for (const [a, b] of [...this.kept, [this.maps[0].weights.keys, 0] as const]) {
      if (a > end) this.taken.push([end, a]);
      end = b;
    }
  }

  /** The cells of some rows, and of columns that follow one another. */
  block(rows: readonly number[], first: number, columns: number): Float32Array {
    const found = new Float32Array(rows.length * columns);
    const start = this.columns.spans[first][0];
    const width = this.columns.spans[first + columns - 1][1] - start;
    const most = Math.max(4, Math.ceil(CHUNK / width));
    this.maps.forEach((map, place) => {
      for (let r = 0; r < rows.length; ) {
        const [tokens, from] = [[] as number[], r];
        for (; r < rows.length && tokens.length < most; r++) {
          const [a, b] = this.rows.spans[rows[r]];
          for (let token = a; token < b; token++) tokens.push(token);
        }
        const weights = map.weights.rows(map.head, tokens, start, width);
        const left = this.hidden.length ? this.left(place, tokens) : null;
        this.add(found.subarray(from * columns, r * columns), rows.slice(from, r), weights, left, first, columns);
      }
    });
    if (this.maps.length > 1) for (let i = 0; i < found.length; i++) found[i] /= this.maps.length;
    return found;
  }

  /** Adds the weights of the tokens of some rows: the mean over a row's tokens, the sum over a column's. */
  private add(into: Float32Array, rows: readonly number[], weights: Float32Array, left: Float32Array | null, first: number, columns: number) {
    const { spans } = this.columns;
    const start = spans[first][0];
    const width = spans[first + columns - 1][1] - start;
    let token = 0;
    rows.forEach((row, r) => {
      const count = this.rows.spans[row][1] - this.rows.spans[row][0];
      for (let t = 0; t < count; t++, token++) {
        const factor = (left ? (Math.abs(left[token]) > GONE ? 1 / left[token] : 0) : 1) / count;
        const line = token * width;
        if (width === columns) {
          for (let c = 0; c < columns; c++) into[r * columns + c] += weights[line + c] * factor; // every column is one token
          continue;
        }
        for (let c = 0; c < columns; c++) {
          const [a, b] = spans[first + c];
          let sum = 0;
          for (let j = a; j < b; j++) sum += weights[line + j - start];
          into[r * columns + c] += sum * factor;
        }
      }
    });
    for (const group of this.hidden) {
      const c = group - first;
      if (c >= 0 && c < columns) for (let r = 0; r < rows.length; r++) into[r * columns + c] = 0;
    }
  }

  /** What is left of each token's row without the hidden keys, worked out once for all that is asked of the row. */
  private left(place: number, tokens: readonly number[]): Float32Array {
    const map = this.maps[place];
    let known = this.known.get(place);
    if (!known) this.known.set(place, (known = new Float32Array(map.weights.queries).fill(NaN)));
    const left = known;
    let open = tokens.filter((token) => Number.isNaN(left[token]));
    const total = open.length ? this.total(map) : null;
    if (total) {
      const taken = this.sums(map, open, this.taken);
      open = open.filter((token, i) => {
        left[token] = total(token) - taken[i];
        return !(left[token] >= LITTLE);
      });
    }
    this.sums(map, open, this.kept).forEach((sum, i) => (left[open[i]] = sum));
    return Float32Array.from(tokens, (token) => left[token]);
  }

  /** What a row sums to with all keys, where that is known without a sum: kept weights may sum to anything. */
  private total({ head, header }: Cells["maps"][number]): ((token: number) => number) | null {
    if (header.kind === "stored") return null;
    const { lse, sinks } = header.tensors;
    if (sinks === undefined) return () => 1;
    const [, heads, queries] = header.shape;
    const normalizers = (this.capture.tensor(lse).data as Floats).subarray((this.lens.text * heads + head) * queries);
    const sink = this.capture.tensor(sinks).data[head];
    return (token) => 1 - Math.exp(sink - normalizers[token]);
  }

  /** The weights of each token on some keys together. */
  private sums(map: Cells["maps"][number], tokens: readonly number[], keys: readonly Span[]): Float64Array {
    const sums = new Float64Array(tokens.length);
    if (!tokens.length) return sums;
    const step = Math.ceil(CHUNK / tokens.length);
    for (const [from, to] of keys) {
      for (let a = from; a < to; a += step) {
        const width = Math.min(step, to - a);
        const weights = map.weights.rows(map.head, tokens, a, width);
        for (let i = 0, t = 0; t < tokens.length; t++) for (let c = 0; c < width; c++, i++) sums[t] += weights[i];
      }
    }
    return sums;
  }

  /** The mean of some rows. */
  meanOfRows(from: number, to: number): Float32Array {
    const width = this.columns.spans.length;
    const block = this.block(range(from, to - from), 0, width);
    return Float32Array.from({ length: width }, (_, c) => {
      let sum = 0;
      for (let r = 0; r < to - from; r++) sum += block[r * width + c];
      return sum / (to - from);
    });
  }

  /** The sum of some columns. */
  sumOfColumns(from: number, to: number): Float32Array {
    const height = this.rows.spans.length;
    const block = this.block(range(0, height), from, to - from);
    return Float32Array.from({ length: height }, (_, r) => {
      let sum = 0;
      for (let c = 0; c < to - from; c++) sum += block[r * (to - from) + c];
      return sum;
    });
  }

  /** How hard the queries look at the keys; without keys at the one, not special and not themselves, that gets most. */
  look(query: Span, key: Span | null): [weight: number, key: number] {
    if (key) return [this.sum(this.block(range(query[0], query[1] - query[0]), key[0], key[1] - key[0])) / (query[1] - query[0]), key[0]];
    const row = this.meanOfRows(...query);
    const shift = this.columns.spans.length - this.rows.spans.length; // the last query stands at the last key
    let best = -1;
    row.forEach((weight, c) => {
      const itself = this.isSelf && c - shift >= query[0] && c - shift < query[1];
      if (!itself && !this.columns.special[c] && (best < 0 || weight > row[best])) best = c;
    });
    return best < 0 ? [0, 0] : [row[best], best];
  }

  private sum(numbers: Float32Array): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  /** A tile; those of level 1 and more are made of four of the level below, which are kept. */
  tile(level: number, y: number, x: number): Tile {
    const made = this.pyramid.get(level, y, x);
    if (made) return made;
    const size = 2 ** level;
    const [height, width] = [this.rows.spans.length, this.columns.spans.length];
    const [top, left] = [y * TILE * size, x * TILE * size];
    const rows = Math.ceil(Math.min(TILE * size, height - top) / size);
    const columns = Math.ceil(Math.min(TILE * size, width - left) / size);
    if (!level) {
      const mean = this.block(range(top, rows), left, columns);
      return { rows, columns, mean, max: mean };
    }
    const found: Tile = { rows, columns, mean: new Float32Array(rows * columns), max: new Float32Array(rows * columns) };
    for (const [below, right] of this.below(level, y, x)) {
      const [r, c] = [below - 2 * y, right - 2 * x].map((half) => (half * TILE) / 2);
      pool(this.tile(level - 1, below, right), found, r, c, [height - top, width - left], size);
    }
    this.pyramid.put(level, y, x, found);
    return found;
  }

  /**
   * A part of a tile that has to be made before it, if there is one: larger tiles are made in steps. Depth first, so
   * that few parts have to be kept at a time, however long the text is.
   */
  missing(level: number, y: number, x: number): [level: number, y: number, x: number] | null {
    if (!isLarge(level) || this.pyramid.get(level, y, x)) return null;
    for (const [below, right] of this.below(level, y, x)) {
      if (!this.pyramid.get(level - 1, below, right)) return this.missing(level - 1, below, right) ?? [level - 1, below, right];
    }
    return null;
  }

  /** The tiles of the level below that make up this one. */
  private below(level: number, y: number, x: number): [y: number, x: number][] {
    const size = TILE * 2 ** (level - 1);
    const those: [number, number][] = [[2 * y, 2 * x], [2 * y, 2 * x + 1], [2 * y + 1, 2 * x], [2 * y + 1, 2 * x + 1]];
    return those.filter(([r, c]) => r * size < this.rows.spans.length && c * size < this.columns.spans.length);
  }

  /** Numbers of the whole, of at most so many rows evenly spread. */
  statistics(): Statistics {
    const [height, width] = [this.rows.spans.length, this.columns.spans.length];
    const count = Math.min(height, SAMPLE);
    const side: [number, number] = [Math.min(height, THUMBNAIL), Math.min(width, THUMBNAIL)];
    const thumbnail = new Float32Array(side[0] * side[1]);
    const chosen = range(0, count).map((n) => Math.floor(((n + 0.5) * height) / count));
    const places = Uint8Array.from({ length: width }, (_, j) => Math.floor((j * side[1]) / width));
    const block = this.block(chosen, 0, width);
    let [entropy, distance, first, previous] = [0, 0, 0, 0];
    chosen.forEach((i, n) => {
      const at = i + width - height; // the last query stands at the last key
      const line = n * width;
      const start = Math.floor((i * side[0]) / height) * side[1];
      for (let j = 0; j < width; j++) {
        const weight = block[line + j];
        if (weight !== 0) entropy -= weight * Math.log(weight); // NaN where one is below 0
        distance += weight * Math.abs(j - at);
        const place = start + places[j];
        if (weight > thumbnail[place]) thumbnail[place] = weight;
      }
      first += block[line + this.columns.first];
      if (at > 0 && at <= width) previous += block[line + at - 1];
    });
    if (this.isCross) distance = previous = NaN; // places in two texts
    const sampled: [number, number] = [count, height];
    return { entropy: entropy / count, distance: distance / count, first: first / count, previous: previous / count, sampled, thumbnail, side };
  }
}

/** Pools 2 × 2 pixels of `from` into one of `into`, whose pixels are `size` cells wide, less at the end of the whole. */
function pool(from: Tile, into: Tile, top: number, left: number, [height, width]: [number, number], size: number): void {
  const half = size / 2;
  for (let r = 0; 2 * r < from.rows; r++) {
    const above = Math.min(half, height - (top + r) * size);
    const below = Math.max(0, Math.min(half, height - (top + r) * size - half));
    for (let c = 0; 2 * c < from.columns; c++) {
      const before = Math.min(half, width - (left + c) * size);
      const after = Math.max(0, Math.min(half, width - (left + c) * size - half));
      const at = 2 * r * from.columns + 2 * c;
      const under = at + from.columns;
      const place = (top + r) * into.columns + left + c;
      let sum = from.mean[at] * above * before;
      let most = from.max[at];
      if (after) {
        sum += from.mean[at + 1] * above * after;
        most = Math.max(most, from.max[at + 1]);
      }
      if (below) {
        sum += from.mean[under] * below * before;
        most = Math.max(most, from.max[under]);
      }
      if (after && below) {
        sum += from.mean[under + 1] * below * after;
        most = Math.max(most, from.max[under + 1]);
      }
      into.mean[place] = sum / ((above + below) * (before + after));
      into.max[place] = most;
    }
  }
}
