/** The coarse tiles of one lens, in at most so many bytes; the finest go first, since they are made again soonest. */

import type { Tile } from "../data/source";

export class Pyramid {
  private readonly levels: Map<string, Tile>[] = [];
  private bytes = 0;

  constructor(private readonly most = 96 * 2 ** 20) {}

  get(level: number, y: number, x: number): Tile | undefined {
    return this.levels[level]?.get(`${y}/${x}`);
  }

  put(level: number, y: number, x: number, tile: Tile): void {
    while (this.levels.length <= level) this.levels.push(new Map());
    this.levels[level].set(`${y}/${x}`, tile);
    this.bytes += size(tile);
    for (const tiles of this.levels) {
      for (const [key, old] of tiles) {
        if (this.bytes <= this.most) return;
        tiles.delete(key);
        this.bytes -= size(old);
      }
    }
  }
}

const size = (tile: Tile): number => tile.mean.byteLength + tile.max.byteLength;
