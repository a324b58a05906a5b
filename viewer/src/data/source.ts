/** What views ask for, whoever answers: the capture in the page, or a server. */

import type { ReadonlySignal } from "@preact/signals";
import type { Picture, Text } from "./capture";
import type { Side } from "./texts";

/** One attention head: the number of its layer in `Info.layers`, and its place in that layer. */
export type Head = readonly [layer: number, head: number];

/** From one piece or word to another, the second one not included. */
export type Span = readonly [from: number, to: number];

/** How hard a head looks, and at which piece or word. */
export interface Look {
  head: Head;
  weight: number;
  key: number;
}

export type Unit = "words" | "pieces";

/** Through what the weights are seen. */
export interface Lens {
  /** Several heads are averaged. */
  heads: readonly Head[];
  unit: Unit;
  /** Keys that are taken out, after which rows sum to 1 again. */
  hide: "nothing" | "special" | "first";
  /** Which text of the batch. */
  text: number;
}

export interface LayerInfo {
  path: string;
  /** L3, or L3@1 for the second call. */
  label: string;
  call: number;
  number: number;
  /** The number of each head: the 1 of L3H1. */
  heads: number[];
  queries: number;
  keys: number;
  hasProducts: boolean;
  sides: readonly [Side | null, Side | null];
}

export interface Info {
  title: string;
  provenance: Record<string, unknown>;
  layers: LayerInfo[];
  texts: Record<Side[0], Text[] | null>;
  pictures: Picture[] | null;
  batch: number;
}

export const TILE = 256;

/** 256 × 256 pixels, each of which stands for 2^level × 2^level weights. */
export interface Tile {
  rows: number;
  columns: number;
  mean: Float32Array;
  max: Float32Array;
  /** Made of some rows only, until `exact` gives the tile that is made of all. */
  preview?: { exact(signal: AbortSignal): Promise<Tile> };
}

/** Numbers of one head that the overview sorts and colours by. */
export interface Statistics {
  /** Nats, the mean over queries. */
  entropy: number;
  /** In tokens, the mean over queries of Σ weight · |i − j|. */
  distance: number;
  /** The mean weight on the first token. */
  first: number;
  /** The mean weight on the token before. */
  previous: number;
  /** How many queries these are the mean of, and of how many. */
  sampled: [number, number];
  thumbnail: Float32Array;
  side: [rows: number, columns: number];
}

export interface Source {
  readonly info: Info;
  /** How far the pass over a long map is that somebody waits for. */
  readonly progress?: ReadonlySignal<{ done: number; of: number } | null>;
  /** The mean of some queries' rows. */
  rows(lens: Lens, from: number, to: number, signal?: AbortSignal): Promise<Float32Array>;
  /** The sum of some keys' columns. */
  columns(lens: Lens, from: number, to: number, signal?: AbortSignal): Promise<Float32Array>;
  tile(lens: Lens, level: number, y: number, x: number, signal?: AbortSignal): Promise<Tile>;
  /** What each dimension adds to the score of a pair of tokens. */
  products(head: Head, text: number, query: number, key: number): Promise<{ products: Float32Array | null; weight: number }>;
  /** Of every head how hard the queries look at the keys, or, without keys, at which they look hardest. */
  looks(lens: Lens, query: Span, key: Span | null, signal?: AbortSignal): Promise<Look[]>;
  statistics(head: Head, lens: Lens, signal?: AbortSignal): Promise<Statistics>;
  close(): void;
}
