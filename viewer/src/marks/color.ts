/** From a weight to ink. 0 is the background; lightness falls (or rises, on dark) evenly, so no hue has to be told apart. */

import { interpolateLab, piecewise } from "d3-interpolate";

export type Ground = "light" | "dark";

const RAMPS: Record<Ground, string[]> = {
  light: ["#ffffff", "#c3d9ee", "#6ea3d0", "#2b62a8", "#0a2350"],
  dark: ["#111418", "#173a63", "#4a6fae", "#a9a3a8", "#fde67a"],
};

const STEPS = 256;

export interface Scale {
  /** What the strongest ink stands for. */
  most: number;
  isLog: boolean;
  /** 256 colours, four bytes each. */
  table: Uint8ClampedArray;
  css(weight: number): string;
  /** The place of a weight on the scale, from 0 to 1. */
  place(weight: number): number;
}

/** Below this share of the strongest, a logarithmic scale shows nothing. */
const DECADES = 4;

export function scaleTo(most: number, isLog: boolean, ground: Ground): Scale {
  const at = piecewise(interpolateLab, RAMPS[ground]);
  const table = new Uint8ClampedArray(STEPS * 4);
  const names: string[] = [];
  for (let i = 0; i < STEPS; i++) {
    const name = at(i / (STEPS - 1));
    names.push(name);
    const [r, g, b] = name.match(/[\d.]+/g)!.map(Number);
    table.set([r, g, b, 255], i * 4);
  }
  const top = most > 0 ? most : 1;
  const place = (weight: number) => {
    if (!(weight > 0)) return 0;
    const share = Math.min(1, weight / top);
    return isLog ? Math.max(0, 1 + Math.log10(share) / DECADES) : share;
  };
  return { most: top, isLog, table, place, css: (weight) => names[Math.round(place(weight) * (STEPS - 1))] };
}

/** Black or white text on a weight's colour, whichever is read more easily. */
export function inkOn(scale: Scale, weight: number): string {
  const i = Math.round(scale.place(weight) * (STEPS - 1)) * 4;
  const linear = (x: number) => (x <= 10 ? x / 3294 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = [0, 1, 2].map((c) => linear(scale.table[i + c]));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000000" : "#ffffff";
}

/** Numbers as the colours of an image. */
export function paint(numbers: Float32Array, rows: number, columns: number, scale: Scale): ImageData {
  const image = new ImageData(columns, rows);
  const out = new Uint32Array(image.data.buffer);
  const table = new Uint32Array(scale.table.buffer);
  if (!scale.isLog) {
    const factor = (STEPS - 1) / scale.most;
    for (let i = 0; i < numbers.length; i++) out[i] = table[Math.min(STEPS - 1, Math.max(0, numbers[i] * factor + 0.5)) | 0];
  } else {
    for (let i = 0; i < numbers.length; i++) out[i] = table[Math.round(scale.place(numbers[i]) * (STEPS - 1))];
  }
  return image;
}
