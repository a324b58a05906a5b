/** Tiles that were seen, the latest ones, in at most so many bytes; requests that nobody waits for are aborted. */

import type { Tile } from "../data/source";
import { type Address, keyOf } from "./visible";

/** Milliseconds after which what failed may be asked for again. */
const AGAIN = 5000;

export class TileCache {
  private readonly known = new Map<string, Tile>();
  private readonly asked = new Map<string, AbortController>();
  /** What failed, and until when it is not asked for again. */
  private readonly failures = new Map<string, number>();
  private wanted = new Set<string>();
  private bytes = 0;

  constructor(
    private readonly load: (address: Address, signal: AbortSignal) => Promise<Tile>,
    private readonly changed: () => void,
    private readonly failed: (error: Error) => void,
    private readonly most = 128 * 2 ** 20,
  ) {}

  get(address: Address): Tile | undefined {
    const key = keyOf(address);
    const tile = this.known.get(key);
    if (tile) {
      this.known.delete(key); // to the end, where the latest are
      this.known.set(key, tile);
    }
    return tile;
  }

  /** Asks for these, and no longer for others. */
  want(addresses: Address[]): void {
    this.wanted = new Set(addresses.map(keyOf));
    for (const [key, controller] of this.asked) {
      if (!this.wanted.has(key)) {
        controller.abort();
        this.asked.delete(key);
      }
    }
    for (const address of addresses) {
      const key = keyOf(address);
      if (this.asked.has(key) || performance.now() < (this.failures.get(key) ?? 0)) continue;
      const known = this.known.get(key);
      if (known?.preview) this.ask(key, known.preview.exact);
      if (known) continue;
      this.ask(key, (signal) => this.load(address, signal));
    }
  }

  private ask(key: string, load: (signal: AbortSignal) => Promise<Tile>): void {
    const controller = new AbortController();
    const end = () => {
      if (this.asked.get(key) === controller) this.asked.delete(key);
    };
    this.asked.set(key, controller);
    load(controller.signal).then((tile) => {
      end();
      this.put(key, tile);
      if (tile.preview) this.ask(key, tile.preview.exact); // seen until then
      this.changed();
    }, (error: Error) => {
      end();
      if (error.name === "AbortError") return;
      this.failures.set(key, performance.now() + AGAIN);
      this.failed(error);
      this.changed();
    });
  }

  private put(key: string, tile: Tile): void {
    const before = this.known.get(key);
    if (before) this.bytes -= size(before);
    this.known.delete(key);
    this.known.set(key, tile);
    this.bytes += size(tile);
    for (const [oldest, old] of this.known) {
      if (this.bytes <= this.most) break;
      if (this.wanted.has(oldest)) continue; // or it would be asked for again at once
      this.known.delete(oldest);
      this.bytes -= size(old);
    }
  }

  get isWaiting(): boolean {
    return this.asked.size > 0;
  }

  close(): void {
    this.want([]);
    this.known.clear();
    this.bytes = 0;
  }
}

function size(tile: Tile): number {
  return tile.mean.byteLength + (tile.max === tile.mean ? 0 : tile.max.byteLength);
}
