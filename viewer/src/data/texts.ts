/** The tokens and words at the sides of a map. */

import type { Text } from "./capture";
import type { Info, Unit } from "./source";

/** Which texts stand at a side, and the token of its first row or column; the rules are those of Capture.sides. */
export type Side = readonly [of: "tokens" | "source_tokens", first: number];

/** A word is a run of tokens. */
export interface Groups {
  names: string[];
  /** The first token of each piece or word, and one past the last. */
  spans: [number, number][];
  special: boolean[];
  /** The first that is no padding. */
  first: number;
}

/** The pieces or words of `count` tokens of a text from `first` on; numbers where the text is not known. */
export function groups(text: Text | null, first: number, count: number, unit: Unit): Groups {
  if (!text) {
    const spans = Array.from({ length: count }, (_, i): [number, number] => [i, i + 1]);
    return { names: spans.map(([i]) => `${first + i}`), spans, special: spans.map(() => false), first: 0 };
  }
  if (unit === "pieces") {
    const spans = Array.from({ length: count }, (_, i): [number, number] => [i, i + 1]);
    const here = <T>(of: T[]): T[] => of.slice(first, first + count);
    const begin = here(text.word_of).findIndex((word) => word >= 0);
    return { names: here(text.pieces), spans, special: here(text.special), first: Math.max(0, begin) };
  }
  const found: Groups = { names: [], spans: [], special: [], first: 0 };
  let last = -1;
  for (let token = 0; token < count; token++) {
    const word = text.word_of[first + token];
    if (word < 0) continue; // padding
    if (word !== last) {
      found.names.push(text.words[word]);
      found.special.push(text.word_special[word]);
      found.spans.push([token, token]);
      last = word;
    }
    found.spans[found.spans.length - 1][1] = token + 1;
  }
  return found;
}

const known = new WeakMap<Pick<Info, "texts">, Map<string, Groups>>();

/** The groups at the rows (0) or columns (1) of a layer's map, made once. */
export function groupsOf(info: Pick<Info, "texts" | "layers">, layer: number, side: 0 | 1, text: number, unit: Unit): Groups {
  const { sides, queries, keys } = info.layers[layer];
  const count = side ? keys : queries;
  const [of, first] = sides[side] ?? [null, 0];
  const key = `${of} ${first} ${count} ${text} ${unit}`;
  let made = known.get(info);
  if (!made) known.set(info, (made = new Map()));
  let found = made.get(key);
  if (!found) made.set(key, (found = groups(of && (info.texts[of]?.[text] ?? null), first, count, unit)));
  return found;
}
