/** Which tiles are in sight: a pure function of what is shown. */

import { TILE } from "../data/source";

/** A part of the matrix as seen: pixels a cell, and where the matrix's corner is in pixels. */
export interface Viewport {
  scale: number;
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Address {
  level: number;
  y: number;
  x: number;
}

/** The coarsest level whose pixels are no larger than those of the screen; level z pools 2^z × 2^z cells. */
export function levelFor(scale: number, density: number, rows: number, columns: number): number {
  const most = Math.max(0, Math.ceil(Math.log2(Math.max(rows, columns) / TILE)));
  return Math.min(most, Math.max(0, Math.floor(Math.log2(1 / (scale * density)))));
}

export function visibleTiles(port: Viewport, level: number, rows: number, columns: number): Address[] {
  const cells = TILE * 2 ** level;
  const range = (start: number, size: number, count: number): [number, number] => [
    Math.max(0, Math.floor(-start / port.scale / cells)),
    Math.min(Math.ceil(count / cells), Math.ceil((size - start) / port.scale / cells)),
  ];
  const [top, bottom] = range(port.top, port.height, rows);
  const [left, right] = range(port.left, port.width, columns);
  const found: Address[] = [];
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) found.push({ level, y, x });
  const middle = [(top + bottom - 1) / 2, (left + right - 1) / 2];
  const away = ({ y, x }: Address) => Math.hypot(y - middle[0], x - middle[1]);
  return found.sort((a, b) => away(a) - away(b));
}

export const keyOf = ({ level, y, x }: Address): string => `${level}/${y}/${x}`;

export const parentOf = ({ level, y, x }: Address): Address => ({ level: level + 1, y: y >> 1, x: x >> 1 });
