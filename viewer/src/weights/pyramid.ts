/** The coarse tiles of one lens, in at most so many bytes; the finest go first, since they are made again soonest. */

import type { Tile } from "../data/source";

export class Pyramid {
  private readonly levels: Map<string, { tile: Tile; turn: number }>[] = [];
  private bytes = 0;
  private turn = 0;

  constructor(private readonly most = 96 * 2 ** 20) {}

  /** From here on, what is got and put stays, until the next turn: what a tile is being made of has to be there with it. */
  next(): void {
    this.turn++;
  }

  get(level: number, y: number, x: number): Tile | undefined {
    const kept = this.levels[level]?.get(`${y}/${x}`);
    if (kept) kept.turn = this.turn;
    return kept?.tile;
  }

  put(level: number, y: number, x: number, tile: Tile): void {
    while (this.levels.length <= level) this.levels.push(new Map());
    this.levels[level].set(`${y}/${x}`, { tile, turn: this.turn });
    this.bytes += size(tile);
    for (const tiles of this.levels) {
      for (const [key, old] of tiles) {
        if (this.bytes <= this.most) return;
        if (old.turn === this.turn) continue;
        tiles.delete(key);
        this.bytes -= size(old.tile);
      }
    }
  }
}

const size = (tile: Tile): number => tile.mean.byteLength + tile.max.byteLength;
