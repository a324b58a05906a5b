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
  const [from, to] = text.split("-").map(Number);
  if (!(from >= 0) || !(to === undefined || to >= from) || !Number.isInteger(from)) throw new RangeError(text);
  return [from, (to ?? from) + 1];
};
const oneOf =
  <T extends string>(known: readonly T[]) =>
  (text: string): T => {
    if (!known.includes(text as T)) throw new RangeError(text);
    return text as T;
  };
const write = (value: Span): string => (value[1] === value[0] + 1 ? `${value[0]}` : `${value[0]}-${value[1] - 1}`);

type Codec<T> = [letter: string, read: (text: string) => T, write: (value: T) => string];
const codecs: { [K in keyof State]: Codec<State[K]> } = {
  heads: [
    "h",
    (text) =>
      text.split(",").map((head) => {
        const [layer, number] = head.split(".").map(Number);
        if (![layer, number].every((x) => Number.isInteger(x) && x >= 0)) throw new RangeError(head);
        return [layer, number] as const;
      }),
    (heads) => heads.map((head) => head.join(".")).join(","),
  ],
  query: ["q", span, (x) => write(x!)],
  key: ["k", span, (x) => write(x!)],
  view: ["v", oneOf(VIEWS), String],
  text: ["t", (text) => span(text)[0], String],
  unit: ["u", oneOf(["words", "pieces"] as const), String],
  log: ["log", (text) => text === "1", (x) => (x ? "1" : "0")],
  hide: ["hide", oneOf(HIDES), String],
  pool: ["pool", oneOf(["mean", "max"] as const), String],
  sort: ["sort", oneOf(SORTS), String],
  sorted: ["sorted", (text) => text !== "0", (x) => (x ? "1" : "0")],
  theme: ["theme", oneOf(THEMES), String],
};

/** What differs from `start`, as the part of an address after #. */
export function toHash(state: State, start: State): string {
  const parts: string[] = [];
  for (const [name, [letter, , print]] of Object.entries(codecs) as [keyof State, Codec<unknown>][]) {
    const [now, then] = [state[name], start[name]].map((x) => (x === null ? "" : print(x)));
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
      state[name] = text === "" ? null : read(text);
    } catch {
      // somebody's broken link: this part of it is left out
    }
  }
  return state as unknown as State;
}

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
    const only = <K extends keyof State>(name: K): ReadonlySignal<State[K]> => computed(() => this.state.value[name]);
    const [heads, unit, hide, text] = [only("heads"), only("unit"), only("hide"), only("text")];
    this.lens = computed<Lens>(() => ({ heads: heads.value, unit: unit.value, hide: hide.value, text: text.value }));
    this.whole = computed<Lens>(() => ({ heads: [], unit: unit.value, hide: hide.value, text: text.value }));
    this.query = only("query");
    this.key = only("key");
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
    const stop = effect(() => {
      const { hash } = this;
      const shown = window.location.hash.replace(/^#/, "");
      if (hash !== shown) window.history.pushState(null, "", hash ? `#${hash}` : window.location.pathname + window.location.search);
    });
    window.addEventListener("popstate", read);
    return () => {
      stop();
      window.removeEventListener("popstate", read);
    };
  }
}
