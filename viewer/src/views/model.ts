/** What several views need of the same selection, computed once. */

import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Picture } from "../data/capture";
import type { Head, Info, Look, Source, Span, Statistics, Unit } from "../data/source";
import { type Ground, type Scale, scaleTo } from "../marks/color";
import { START, type State, type Store, type View, VIEWS } from "../state";
import type { Kept } from "./export";
import { groupsOf } from "../data/texts";
import { headName, visible } from "./format";

/** Of a longer text it is not asked how hard all queries look at a key. */
const MOST_QUERIES = 4096;

/** Milliseconds that an answer stands while the next one is waited for. */
const STALE = 150;

/** A state as far as there are such heads, texts and words. */
export function fitted(state: State, info: Info): State {
  const ofOneShape = (layer: number, first: number) => info.layers[layer].queries === info.layers[first].queries && info.layers[layer].keys === info.layers[first].keys;
  const isFirst = (head: Head, at: number, all: readonly Head[]) => all.findIndex((x) => `${x}` === `${head}`) === at;
  const there = state.heads.filter(([layer, head]) => head < (info.layers[layer]?.heads.length ?? 0)).filter(isFirst);
  const heads = there.filter(([layer]) => ofOneShape(layer, there[0][0]));
  const text = state.text < info.batch ? state.text : 0;
  const [[layer]] = heads.length ? heads : START.heads;
  const within = (span: Span | null, side: 0 | 1): Span | null => {
    const count = groupsOf(info, layer, side, text, state.unit).names.length;
    return span && span[0] < count ? [span[0], Math.min(span[1], count)] : null;
  };
  const inside = (zoom: State["zoom"]): State["zoom"] => {
    const [rows, columns] = ([0, 1] as const).map((side) => groupsOf(info, layer, side, text, state.unit).names.length);
    return zoom && zoom[2] >= 1 ? [Math.min(zoom[0], rows - 1), Math.min(zoom[1], columns - 1), zoom[2]] : null;
  };
  return { ...state, heads: heads.length ? heads : START.heads, text, query: within(state.query, 0), key: within(state.key, 1), zoom: inside(state.zoom) };
}

/** Milliseconds between two times that the overview shows what came in. */
const BETWEEN = 60;

/** A store, its source, and what follows from both. */
export class Model {
  readonly queryWords: ReadonlySignal<string[]>;
  readonly keyWords: ReadonlySignal<string[]>;
  readonly querySpecial: ReadonlySignal<boolean[]>;
  readonly keySpecial: ReadonlySignal<boolean[]>;
  /** The first key that is no padding. */
  readonly keyFirst: ReadonlySignal<number>;
  /** Whether queries and keys are one text. */
  readonly isSelf: ReadonlySignal<boolean>;
  readonly step: ReadonlySignal<number>;
  readonly picture: ReadonlySignal<Picture | null>;
  /** Whether the rows, and the columns, are patches of the picture. */
  readonly hasPatches: ReadonlySignal<readonly [boolean, boolean]>;
  /** The views that there are of this layer. */
  readonly views: ReadonlySignal<readonly View[]>;
  readonly view: ReadonlySignal<View>;
  /** Which heads are shown, and what was done to their weights. */
  readonly caption: ReadonlySignal<string>;
  readonly ground: ReadonlySignal<Ground>;
  /** What the selected queries look at, and what looks at the selected keys. */
  readonly row: Signal<Float32Array | null> = signal(null);
  readonly column: Signal<Float32Array | null> = signal(null);
  /** The whole, pooled; its largest number is what the strongest ink stands for. */
  readonly most: Signal<number> = signal(1);
  readonly looks: Signal<Look[] | null> = signal(null);
  readonly statistics: Signal<ReadonlyMap<string, Statistics>> = signal(new Map());
  /** Whether what is shown is a preview, made of some rows only. */
  readonly isPreview: Signal<boolean> = signal(false);
  readonly error: Signal<string | null> = signal(null);
  /** The view that is shown, to be kept. */
  readonly kept: Signal<Kept | null> = signal(null);
  /** What a click on a word chooses; with Alt it is the other. */
  readonly picks: Signal<"query" | "key"> = signal("query");
  /** The selected queries, or, while nothing is selected, the one that the pointer is on. */
  readonly queried: ReadonlySignal<Span | null>;
  private readonly stops: (() => void)[] = [];

  constructor(
    readonly store: Store,
    readonly source: Source,
    readonly systemIsDark: ReadonlySignal<boolean>,
  ) {
    const { info } = source;
    const layer = computed(() => info.layers[store.state.value.heads[0][0]]);
    this.step = computed(() => layer.value.call);
    const side = (which: 0 | 1) =>
      computed(() => {
        const { heads, text, unit } = store.state.value;
        return groupsOf(info, heads[0][0], which, text, unit);
      });
    const [rows, columns] = [side(0), side(1)];
    this.queryWords = computed(() => rows.value.names.map(visible));
    this.keyWords = computed(() => columns.value.names.map(visible));
    this.queried = computed(() => {
      const [{ query, key }, hover] = [store.state.value, store.hover.value];
      const count = this.queryWords.value.length; // which may have become fewer since
      return query ?? (hover.query !== null && hover.query < count && hover.key === null && !key ? [hover.query, hover.query + 1] : null);
    });
    this.querySpecial = computed(() => rows.value.special);
    this.keySpecial = computed(() => columns.value.special);
    this.keyFirst = computed(() => columns.value.first);
    this.isSelf = computed(() => `${layer.value.sides[0]}` === `${layer.value.sides[1]}` && layer.value.queries === layer.value.keys);
    this.picture = computed(() => info.pictures?.[store.state.value.text] ?? null);
    this.hasPatches = computed(() => {
      const picture = this.picture.value;
      const tokens = picture ? picture.first + picture.grid[0] * picture.grid[1] : -1;
      return [rows.value.names.length === tokens, columns.value.names.length === tokens] as const;
    });
    this.views = computed(() => VIEWS.filter((view) => view !== "image" || this.hasPatches.value[1]));
    this.view = computed(() => (this.views.value.includes(store.state.value.view) ? store.state.value.view : "matrix"));
    this.caption = computed(() => {
      const { heads, hide, log } = store.state.value;
      const view = this.view.value;
      const isEach = view === "arcs";
      const names = heads.map((head) => headName(info, head));
      return [
        view === "products" ? names[0] : names.join(" + "),
        names.length > 1 && !isEach && view !== "products" && `mean of ${names.length} heads`,
        hide === "special" && "special tokens hidden, rows renormalised",
        hide === "first" && "first token hidden, rows renormalised",
        log && !isEach && view !== "products" && "log scale",
      ]
        .filter(Boolean)
        .join(" · ");
    });
    this.ground = computed(() => {
      const { theme } = store.state.value;
      return theme === "system" ? (systemIsDark.value ? "dark" : "light") : theme;
    });
    this.ask();
  }

  /** The heads of the step that is shown. */
  get heads(): Head[] {
    const step = this.step.value;
    return this.source.info.layers.flatMap(({ heads, call }, layer) => (call === step ? heads.map((_, head): Head => [layer, head]) : []));
  }

  /** How many times the layers ran: the steps of a text that was being written, or of a training. */
  get steps(): number {
    return 1 + Math.max(...this.source.info.layers.map((layer) => layer.call));
  }

  /** Which step is shown: of a text that was being written, or of a training. */
  get stepName(): string {
    const at = this.step.value;
    const trained = this.source.info.provenance.training_steps;
    return Array.isArray(trained) ? `training step ${trained[at]} (${at + 1} of ${this.steps})` : `step ${at + 1} of ${this.steps}`;
  }

  /** The same heads in another step, as far as they ran in it; and the same query and key, where it is the same text. */
  go(step: number): void {
    const { layers } = this.source.info;
    const heads = this.store.now.heads.flatMap(([layer, head]): Head[] => {
      const found = layers.findIndex((x) => x.number === layers[layer].number && x.call === step);
      return found < 0 ? [] : [[found, head]];
    });
    const first = layers.findIndex((x) => x.call === step);
    const same = Array.isArray(this.source.info.provenance.training_steps) && heads.length;
    this.store.set({ heads: heads.length ? heads : [[first, 0]], ...(same ? {} : { query: null, key: null }) });
  }

  /** The same selection in words instead of pieces, or the other way round. */
  change(unit: Unit): void {
    const { heads, text, query, key, unit: before } = this.store.now;
    const other = (span: Span | null, side: 0 | 1): Span | null => {
      if (!span) return null;
      const [from, to] = [before, unit].map((x) => groupsOf(this.source.info, heads[0][0], side, text, x).spans);
      const [start, stop] = [from[span[0]][0], from[span[1] - 1][1]];
      const touched = to.flatMap(([a, b], n) => (a < stop && b > start ? [n] : []));
      return touched.length ? [touched[0], touched[touched.length - 1] + 1] : null;
    };
    this.store.set({ unit, query: other(query, 0), key: other(key, 1) });
  }

  /** Whether some of these keys are taken out. */
  isHidden(span: Span): boolean {
    const { hide } = this.store.state.value;
    if (hide === "special") return this.keySpecial.value.slice(...span).some(Boolean);
    return hide === "first" && span[0] <= this.keyFirst.value && span[1] > this.keyFirst.value;
  }

  scale(most = this.most.value): Scale {
    return scaleTo(most, this.store.state.value.log, this.ground.value);
  }

  /** Asks for what is to be shown, anew whenever that changes, and no longer for what was before. */
  private ask(): void {
    const { store, source } = this;
    const asking = (question: (signal: AbortSignal) => Promise<void> | undefined) =>
      this.stops.push(
        effect(() => {
          const controller = new AbortController();
          this.error.value = null;
          question(controller.signal)?.catch((error: Error) => {
            if (error.name !== "AbortError") this.error.value = error.message;
          });
          return () => controller.abort();
        }),
      );
    const keeping = <T>(answer: Signal<T | null>, question: (signal: AbortSignal) => Promise<T> | null) =>
      asking((signal) => {
        const asked = question(signal);
        if (!asked) answer.value = null;
        // What was answered before stands until then, so that nothing flickers, but not for long: it is of something else.
        const timer = asked && setTimeout(() => (answer.value = null), STALE);
        if (timer) signal.addEventListener("abort", () => clearTimeout(timer));
        return asked?.then(
          (found) => {
            clearTimeout(timer!);
            answer.value = found;
          },
          (error: Error) => {
            if (error.name !== "AbortError") answer.value = null;
            throw error;
          },
        );
      });
    keeping(this.row, (signal) => {
      const [lens, query] = [store.lens.value, this.queried.value];
      return query && source.rows(lens, ...query, signal);
    });
    keeping(this.column, (signal) => {
      const [lens, key] = [store.lens.value, store.key.value];
      return key && source.columns(lens, ...key, signal);
    });
    keeping(this.looks, (signal) => {
      const [lens, query, key] = [store.lens.value, store.query.value, store.key.value];
      // A key by itself: how hard all queries look at it, on average.
      const all: Span | null = key && this.queryWords.value.length <= MOST_QUERIES ? [0, this.queryWords.value.length] : null;
      const from = query ?? all;
      return from && source.looks(lens, from, key, signal);
    });
    asking((signal) => {
      const lens = store.whole.value;
      this.step.value;
      this.statistics.value = new Map();
      const found = new Map<string, Statistics>();
      // Shown several at a time, since each time the whole overview is drawn.
      let isDue = false;
      const show = () => {
        isDue = false;
        if (!signal.aborted) this.statistics.value = new Map(found);
      };
      return Promise.all(
        this.heads.map(async (head) => {
          found.set(head.join("."), await source.statistics(head, lens, signal));
          if (!isDue) setTimeout(show, BETWEEN);
          isDue = true;
        }),
      ).then(() => undefined);
    });
  }

  close(): void {
    for (const stop of this.stops) stop();
  }
}
