/** A rectangle of weights, put together from the finest tiles. */

import { type Lens, type Source, TILE } from "./source";

export async function block(source: Source, lens: Lens, from: number, rows: number, first: number, columns: number, signal?: AbortSignal): Promise<Float32Array> {
  const found = new Float32Array(rows * columns);
  const range = (start: number, count: number) => {
    const begin = Math.floor(start / TILE);
    return Array.from({ length: Math.floor((start + count - 1) / TILE) - begin + 1 }, (_, i) => begin + i);
  };
  const tiles = range(from, rows).flatMap((y) => range(first, columns).map((x) => [y, x] as const));
  await Promise.all(
    tiles.map(async ([y, x]) => {
      const tile = await source.tile(lens, 0, y, x, signal);
      for (let r = 0; r < tile.rows; r++) {
        const i = y * TILE + r - from;
        if (i < 0 || i >= rows) continue;
        for (let c = 0; c < tile.columns; c++) {
          const j = x * TILE + c - first;
          if (j >= 0 && j < columns) found[i * columns + j] = tile.mean[r * tile.columns + c];
        }
      }
    }),
  );
  return found;
}
