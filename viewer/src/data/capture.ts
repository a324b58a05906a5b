/** Reads the capture file: one safetensors file whose header says which tensor is what (docs/format.md). */

import type { Side } from "./texts";

export type Floats = Float32Array | Float64Array;

export interface Text {
  text: string;
  pieces: string[];
  offsets: [number, number][];
  special: boolean[];
  padding: boolean[];
  /** The word number of each token, −1 for padding. */
  word_of: number[];
  words: string[];
  word_special: boolean[];
}

/** A picture whose patches, row by row, are tokens. */
export interface Picture {
  /** Base64. */
  png: string;
  grid: [rows: number, columns: number];
  /** The token of the first patch. */
  first: number;
}

export type Mask =
  | { kind: "spans"; starts: string; stops: string; present?: string }
  | { kind: "explicit"; allowed: string }
  | { kind: "both"; parts: [Mask, Mask] };

export interface MapHeader {
  kind: "factored" | "stored";
  shape: [batch: number, heads: number, queries: number, keys: number];
  tensors: Record<string, string>;
  scale: number;
  softcap: number | null;
  mask: Mask | null;
}

export interface Layer {
  path: string;
  call: number;
  number: number;
  heads: number[];
  map: MapHeader;
}

export interface Header {
  version: number;
  unit: "tokens" | "words";
  provenance: Record<string, unknown>;
  tokens: Text[] | null;
  source_tokens?: Text[] | null;
  pictures?: Picture[] | null;
  layers: Layer[];
}

/** What the host says of a capture beside its file: what follows from it by rules that are not written again here. */
export interface Beside {
  words: Record<Side[0], Pick<Text, "word_of" | "words" | "word_special">[] | null>;
  sides: (readonly [Side | null, Side | null])[];
}

interface Place {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

export class CaptureError extends Error {}

/** A tensor with the shape that broadcasting reads it by. */
export interface Tensor<T extends ArrayLike<number> = ArrayLike<number>> {
  shape: number[];
  data: T;
}

/** A capture whose tensors are decoded when they are first used. */
export class Capture {
  readonly header: Header;
  private readonly places: Record<string, Place>;
  private readonly decoded = new Map<string, Tensor>();

  constructor(
    private readonly bytes: Uint8Array,
    readonly beside: Beside,
  ) {
    const size = bytes.length < 8 ? Infinity : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    if (8 + size > bytes.length) throw new CaptureError("this is no capture: it is no whole safetensors file");
    const table = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size))) as Record<string, unknown>;
    const metadata = table.__metadata__ as Record<string, string> | undefined;
    if (!metadata?.clearhead) throw new CaptureError("this is no capture: the safetensors file has no clearhead header");
    this.header = JSON.parse(metadata.clearhead) as Header;
    if (this.header.version !== 1) throw new CaptureError(`the capture has the format version ${this.header.version}; this viewer reads 1`);
    delete table.__metadata__;
    this.places = table as Record<string, Place>;
    this.start = 8 + size;
    for (const of of ["tokens", "source_tokens"] as const)
      this.header[of]?.forEach((text, number) => Object.assign(text, beside.words[of]?.[number]));
  }

  private readonly start: number;

  /** The numbers of a tensor; half precision comes as single. */
  tensor(name: string): Tensor {
    const known = this.decoded.get(name);
    if (known) return known;
    const place = this.places[name];
    if (!place) throw new CaptureError(`the capture lacks the tensor ${name}`);
    const [from, to] = place.data_offsets;
    const bytes = this.bytes.subarray(this.start + from, this.start + to) as Uint8Array<ArrayBuffer>;
    // Where the numbers lie as the processor wants them, they are read in place.
    const found = { shape: place.shape, data: numbers(bytes.byteOffset % 8 ? bytes.slice() : bytes, place.dtype) };
    this.decoded.set(name, found);
    return found;
  }
}

/** Bytes, little-endian and at a place that 8 divides, as numbers. */
export function numbers(bytes: Uint8Array<ArrayBuffer>, dtype: string): ArrayLike<number> {
  const { buffer, byteOffset: start, byteLength: size } = bytes;
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer, start, size / 4);
    case "F64":
      return new Float64Array(buffer, start, size / 8);
    case "I32":
      return new Int32Array(buffer, start, size / 4);
    case "I64":
      return Float64Array.from(new BigInt64Array(buffer, start, size / 8), Number);
    case "BOOL":
      return bytes;
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer, start, size / 2), (x) => x << 16).buffer);
    case "F16":
      return Float32Array.from(new Uint16Array(buffer, start, size / 2), half);
    default:
      throw new CaptureError(`the capture has numbers of the kind ${dtype}, which is not known here`);
  }
}

function half(x: number): number {
  const sign = x & 0x8000 ? -1 : 1;
  const exponent = (x >> 10) & 31;
  const fraction = x & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}
