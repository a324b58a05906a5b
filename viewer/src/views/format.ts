/** How numbers and words are written. */

import { format } from "d3-format";
import type { Head, Info, Span } from "../data/source";

const usual = format(".3f");
const small = format(".1e");

/** 0.677; weights too small for three digits as 3.1e-5. */
export function weightText(weight: number): string {
  return weight === 0 || weight >= 5e-4 || Number.isNaN(weight) ? usual(weight) : small(weight);
}

export function headName(info: Info, [layer, head]: Head): string {
  const { label, number, heads } = info.layers[layer];
  return `L${number}H${heads[head]}${label.slice(`L${number}`.length)}`;
}

/** Spaces and line breaks as faint signs, so that they are seen. */
export function visible(word: string): string {
  return word.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ +| +$/g, (x) => "␣".repeat(x.length)) || "∅";
}

/** One word, or the first and the last of several. */
export function spanText(words: readonly string[], [from, to]: Span): string {
  return to - from === 1 ? words[from] : `${words[from]} … ${words[to - 1]}`;
}
