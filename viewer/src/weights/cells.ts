/** Weights through a lens: by pieces or words, of one head or the mean of several, with keys taken out or all. */

import type { Capture } from "../data/capture";
import { type Info, type Lens, type Span, type Statistics, TILE, type Tile } from "../data/source";
import { type Groups, groupsOf } from "../data/texts";
import { Weights } from "./weights";

const THUMBNAIL = 48;
const SAMPLE = 96;

/** What a lens shows, as a matrix of cells. */
export class Cells {
  readonly rows: Groups;
  readonly columns: Groups;
  private readonly maps: { weights: Weights; head: number }[];
  private readonly hidden: number[];
  private readonly isSelf: boolean;

  constructor(capture: Capture, info: Info, lens: Lens) {
    const { layers } = capture.header;
    this.maps = lens.heads.map(([layer, head]) => ({ weights: new Weights(capture, layers[layer].map, lens.text), head }));
    const [[layer]] = lens.heads;
    const [from, to] = info.layers[layer].sides;
    this.isSelf = from?.[0] === to?.[0];
    this.rows = groupsOf(info, layer, 0, lens.text, lens.unit);
    this.columns = groupsOf(info, layer, 1, lens.text, lens.unit);
    const taken = lens.hide === "special" ? (g: number) => this.columns.special[g] : (g: number) => g === 0;
    this.hidden = lens.hide === "nothing" ? [] : this.columns.spans.map((_, g) => g).filter(taken);
  }

  /** The cells of some rows and columns. */
  block(from: number, rows: number, first: number, columns: number): Float32Array {
    const found = new Float32Array(rows * columns);
    for (const map of this.maps) this.add(found, map, from, rows, first, columns);
    if (this.maps.length > 1) for (let i = 0; i < found.length; i++) found[i] /= this.maps.length;
    return found;
  }

  private add(into: Float32Array, map: Cells["maps"][number], from: number, rows: number, first: number, columns: number) {
    const firstToken = this.columns.spans[first][0];
    const width = this.columns.spans[first + columns - 1][1] - firstToken;
    for (let r = 0; r < rows; r++) {
      const [start, stop] = this.rows.spans[from + r];
      const tile = map.weights.tile(map.head, start, stop - start, firstToken, width);
      const left = this.hidden.length ? this.left(map, start, stop) : null;
      for (let t = 0; t < stop - start; t++) {
        const factor = (left ? (left[t] > 1e-6 ? 1 / left[t] : 0) : 1) / (stop - start);
        for (let c = 0; c < columns; c++) {
          const [a, b] = this.columns.spans[first + c];
          let sum = 0;
          for (let j = a; j < b; j++) sum += tile[t * width + j - firstToken];
          into[r * columns + c] += sum * factor;
        }
      }
    }
    if (this.hidden.length) {
      const taken = new Set(this.hidden);
      for (let c = 0; c < columns; c++) if (taken.has(first + c)) for (let r = 0; r < rows; r++) into[r * columns + c] = 0;
    }
  }

  /** What each token's row keeps without the hidden keys. */
  private left(map: Cells["maps"][number], start: number, stop: number): Float32Array {
    const left = new Float32Array(stop - start).fill(1);
    for (const group of this.hidden) {
      const [a, b] = this.columns.spans[group];
      const taken = map.weights.tile(map.head, start, stop - start, a, b - a);
      taken.forEach((weight, i) => (left[Math.floor(i / (b - a))] -= weight));
    }
    return left;
  }

  /** The mean of some rows. */
  meanOfRows(from: number, to: number): Float32Array {
    const width = this.columns.spans.length;
    const block = this.block(from, to - from, 0, width);
    return Float32Array.from({ length: width }, (_, c) => {
      let sum = 0;
      for (let r = 0; r < to - from; r++) sum += block[r * width + c];
      return sum / (to - from);
    });
  }

  /** The sum of some columns. */
  sumOfColumns(from: number, to: number): Float32Array {
    const height = this.rows.spans.length;
    const block = this.block(0, height, from, to - from);
    return Float32Array.from({ length: height }, (_, r) => {
      let sum = 0;
      for (let c = 0; c < to - from; c++) sum += block[r * (to - from) + c];
      return sum;
    });
  }

  /** How hard the queries look at the keys; without keys at the one, not special and not themselves, that gets most. */
  look(query: Span, key: Span | null): [weight: number, key: number] {
    if (key) return [this.sum(this.block(query[0], query[1] - query[0], key[0], key[1] - key[0])) / (query[1] - query[0]), key[0]];
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

  tile(level: number, y: number, x: number): Tile {
    const size = 2 ** level;
    const [height, width] = [this.rows.spans.length, this.columns.spans.length];
    const [top, left] = [y * TILE * size, x * TILE * size];
    const columns = Math.min(TILE * size, width - left);
    const rows = Math.ceil(Math.min(TILE * size, height - top) / size);
    const across = Math.ceil(columns / size);
    const mean = new Float32Array(rows * across);
    const max = level ? new Float32Array(rows * across) : mean;
    if (!level) {
      mean.set(this.block(top, rows, left, columns));
      return { rows, columns: across, mean, max };
    }
    for (let r = 0; r < rows; r++) {
      const count = Math.min(size, height - top - r * size);
      const band = this.block(top + r * size, count, left, columns);
      for (let c = 0; c < across; c++) {
        const stop = Math.min((c + 1) * size, columns);
        let sum = 0;
        let most = 0;
        for (let i = 0; i < count; i++) {
          for (let j = c * size; j < stop; j++) {
            const weight = band[i * columns + j];
            sum += weight;
            if (weight > most) most = weight;
          }
        }
        mean[r * across + c] = sum / (count * (stop - c * size));
        max[r * across + c] = most;
      }
    }
    return { rows, columns: across, mean, max };
  }

  /** Numbers of the whole, of at most so many rows evenly spread. */
  statistics(): Statistics {
    const [height, width] = [this.rows.spans.length, this.columns.spans.length];
    const count = Math.min(height, SAMPLE);
    const side: [number, number] = [Math.min(height, THUMBNAIL), Math.min(width, THUMBNAIL)];
    const thumbnail = new Float32Array(side[0] * side[1]);
    let [entropy, distance, first, previous] = [0, 0, 0, 0];
    for (let n = 0; n < count; n++) {
      const i = Math.floor(((n + 0.5) * height) / count);
      const row = this.block(i, 1, 0, width);
      const at = i + width - height; // the last query stands at the last key
      const y = Math.floor((i * side[0]) / height);
      row.forEach((weight, j) => {
        if (weight > 0) entropy -= weight * Math.log(weight);
        distance += weight * Math.abs(j - at);
        const place = y * side[1] + Math.floor((j * side[1]) / width);
        if (weight > thumbnail[place]) thumbnail[place] = weight;
      });
      first += row[0];
      if (at > 0) previous += row[at - 1] ?? 0;
    }
    const sampled: [number, number] = [count, height];
    return { entropy: entropy / count, distance: distance / count, first: first / count, previous: previous / count, sampled, thumbnail, side };
  }
}
