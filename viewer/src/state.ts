/** What is selected and how it is shown: one state that every view reads and may change, and that is the address. */

import { computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import type { Head, Lens, Span, Unit } from "./data/source";

export const VIEWS = ["matrix", "arcs", "products", "image"] as const;
export type View = (typeof VIEWS)[number];
export const SORTS = ["layer", "look", "entropy", "distance", "first", "previous"] as const;
export type Sort = (typeof SORTS)[number];
export const HIDES = ["nothing", "special", "first"] as const;
export const THEMES = ["system", "light", "dark"] as const;

export interface State {
  heads: readonly Head[];
  query: Span | null;
  key: Span | null;
  /** The part of the matrix in sight: its first row and column, and how many columns; null for the whole. */
  zoom: readonly [row: number, column: number, columns: number] | null;
  view: View;
  text: number;
  unit: Unit;
  log: boolean;
  hide: Lens["hide"];
  pool: "mean" | "max";
  sort: Sort;
  /** Whether heads are put in the order of `sort`, or coloured by it where they are. */
  sorted: boolean;
  theme: (typeof THEMES)[number];
}

export const START: State = {
  heads: [[0, 0]],
  query: null,
  key: null,
  zoom: null,
  view: "matrix",
  text: 0,
  unit: "words",
  log: false,
  hide: "nothing",
  pool: "mean",
  sort: "look",
  sorted: true,
  theme: "system",
};

const span = (text: string): Span => {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!(to >= from)) throw new RangeError(text);
  return [from, to + 1];
};
const oneOf =
  <T extends string>(known: readonly T[]) =>
  (text: string): T => {
    if (!known.includes(text as T)) throw new RangeError(text);
    return text as T;
  };
const write = (value: Span): string => (value[1] === value[0] + 1 ? `${value[0]}` : `${value[0]}-${value[1] - 1}`);

const yes = (text: string): boolean => oneOf(["0", "1"] as const)(text) === "1";

type Codec<T> = [letter: string, read: (text: string) => T, write: (value: T) => string];
const codecs: { [K in keyof State]: Codec<State[K]> } = {
  heads: [
    "h",
    (text) =>
      text.split(",").map((head) => {
        const match = /^(\d{1,9})\.(\d{1,9})$/.exec(head);
        if (!match) throw new RangeError(head);
        return [Number(match[1]), Number(match[2])] as const;
      }),
    (heads) => heads.map((head) => head.join(".")).join(","),
  ],
  query: ["q", (text) => (text ? span(text) : null), (x) => (x ? write(x) : "")],
  key: ["k", (text) => (text ? span(text) : null), (x) => (x ? write(x) : "")],
  zoom: [
    "z",
    (text) => {
      const match = /^(\d{1,9}),(\d{1,9}),(\d{1,9})$/.exec(text);
      if (text && !match) throw new RangeError(text);
      return match && [Number(match[1]), Number(match[2]), Number(match[3])];
    },
    (x) => x?.join(",") ?? "",
  ],
  view: ["v", oneOf(VIEWS), String],
  text: ["t", (text) => span(text)[0], String],
  unit: ["u", oneOf(["words", "pieces"] as const), String],
  log: ["log", yes, (x) => (x ? "1" : "0")],
  hide: ["hide", oneOf(HIDES), String],
  pool: ["pool", oneOf(["mean", "max"] as const), String],
  sort: ["sort", oneOf(SORTS), String],
  sorted: ["sorted", yes, (x) => (x ? "1" : "0")],
  theme: ["theme", oneOf(THEMES), String],
};

/** What differs from `start`, as the part of an address after #. */
export function toHash(state: State, start: State): string {
  const parts: string[] = [];
  for (const [name, [letter, , print]] of Object.entries(codecs) as [keyof State, Codec<unknown>][]) {
    const [now, then] = [state[name], start[name]].map(print);
    if (now !== then) parts.push(`${letter}=${now}`);
  }
  return parts.join("&");
}

/** The inverse; what cannot be read is left as in `start`. */
export function fromHash(hash: string, start: State): State {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state: Record<string, unknown> = { ...start };
  for (const [name, [letter, read]] of Object.entries(codecs) as [keyof State, Codec<unknown>][]) {
    const text = given.get(letter);
    if (text === null) continue;
    try {
      state[name] = read(text);
    } catch {
      // somebody's broken link: this part of it is left out
    }
  }
  return state as unknown as State;
}

/** Milliseconds within which changes are one step of the history. */
const BURST = 400;

/** The state of one viewer. */
export class Store {
  readonly start: State;
  readonly state;
  /** What the pointer or the keyboard is on, which shows more of it without selecting it. */
  readonly hover = signal<{ query: number | null; key: number | null }>({ query: null, key: null });
  readonly lens: ReadonlySignal<Lens>;
  /** The lens without heads. */
  readonly whole: ReadonlySignal<Lens>;
  readonly query: ReadonlySignal<Span | null>;
  readonly key: ReadonlySignal<Span | null>;
  readonly zoom: ReadonlySignal<State["zoom"]>;

  /** Whether the address of the page is this state, so that it can be sent to others. */
  readonly isAddress = signal(false);

  /**
   * @param start What is selected at first.
   * @param fitted A state as far as it fits what is shown: addresses come from anywhere.
   */
  constructor(
    start: State,
    private readonly fitted: (state: State) => State,
  ) {
    this.start = fitted(start);
    this.state = signal(this.start);
    // Signals tell of a change where the value is another object, so equal ones have to be the same.
    const only = <K extends keyof State>(name: K): ReadonlySignal<State[K]> => {
      const print = codecs[name][2] as (value: State[K]) => string;
      let known = this.start[name];
      return computed(() => {
        const now = this.state.value[name];
        if (print(now) !== print(known)) known = now;
        return known;
      });
    };
    const [heads, unit, hide, text] = [only("heads"), only("unit"), only("hide"), only("text")];
    this.lens = computed<Lens>(() => ({ heads: heads.value, unit: unit.value, hide: hide.value, text: text.value }));
    this.whole = computed<Lens>(() => ({ heads: [], unit: unit.value, hide: hide.value, text: text.value }));
    this.query = only("query");
    this.key = only("key");
    this.zoom = only("zoom");
  }

  get now(): State {
    return this.state.value;
  }

  set(change: Partial<State>): void {
    this.state.value = this.fitted({ ...this.state.peek(), ...change });
  }

  /** The state as a text, without what is as at the start. */
  get hash(): string {
    return toHash(this.state.value, this.start);
  }

  set hash(text: string) {
    this.state.value = this.fitted(fromHash(text, this.start));
  }

  /** Keeps the address and the state the same; gives what ends that. */
  follow(window: Window): () => void {
    const read = () => {
      this.hash = window.location.hash;
    };
    read();
    this.isAddress.value = true;
    let [isFirst, last] = [true, -Infinity];
    const stop = effect(() => {
      const { hash } = this;
      const shown = window.location.hash.replace(/^#/, "");
      // What was only read, or follows right upon another change, as when a key is held down, is no step to go back to.
      const isStep = !isFirst && toHash(this.fitted(fromHash(shown, this.start)), this.start) !== hash;
      const address = hash ? `#${hash}` : window.location.pathname + window.location.search;
      const now = performance.now();
      if (hash !== shown) window.history[isStep && now - last > BURST ? "pushState" : "replaceState"](null, "", address);
      if (isStep) last = now;
      isFirst = false;
    });
    window.addEventListener("popstate", read);
    return () => {
      stop();
      window.removeEventListener("popstate", read);
    };
  }
}
