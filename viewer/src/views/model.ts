/** What several views need of the same selection, computed once. */

import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Head, Look, Source, Statistics } from "../data/source";
import { type Ground, type Scale, scaleTo } from "../marks/color";
import type { Store } from "../state";
import type { Kept } from "./export";
import { names, specials } from "./format";

/** A store, its source, and what follows from both. */
export class Model {
  readonly queryWords: ReadonlySignal<string[]>;
  readonly keyWords: ReadonlySignal<string[]>;
  readonly keySpecial: ReadonlySignal<boolean[]>;
  /** Whether queries and keys are one text. */
  readonly isSelf: ReadonlySignal<boolean>;
  readonly step: ReadonlySignal<number>;
  readonly ground: ReadonlySignal<Ground>;
  /** What the selected queries look at, and what looks at the selected keys. */
  readonly row: Signal<Float32Array | null> = signal(null);
  readonly column: Signal<Float32Array | null> = signal(null);
  /** The whole, pooled; its largest number is what the strongest ink stands for. */
  readonly most: Signal<number> = signal(1);
  readonly looks: Signal<Look[] | null> = signal(null);
  readonly statistics: Signal<ReadonlyMap<string, Statistics>> = signal(new Map());
  readonly error: Signal<string | null> = signal(null);
  /** The view that is shown, to be kept. */
  readonly kept: Signal<Kept | null> = signal(null);
  private readonly stops: (() => void)[] = [];

  constructor(
    readonly store: Store,
    readonly source: Source,
    readonly systemIsDark: ReadonlySignal<boolean>,
  ) {
    const { info } = source;
    const layer = computed(() => info.layers[store.state.value.heads[0][0]]);
    this.step = computed(() => layer.value.call);
    const text = computed(() => info.texts?.[store.state.value.text] ?? null);
    const unit = computed(() => store.state.value.unit);
    this.queryWords = computed(() => names(text.value, layer.value.queries, unit.value));
    this.keyWords = computed(() => names(text.value, layer.value.keys, unit.value));
    this.keySpecial = computed(() => specials(text.value, layer.value.keys, unit.value));
    this.isSelf = computed(() => layer.value.queries === layer.value.keys);
    this.ground = computed(() => {
      const { theme } = store.state.value;
      return theme === "system" ? (systemIsDark.value ? "dark" : "light") : theme;
    });
    this.keep();
  }

  /** The heads of the step that is shown. */
  get heads(): Head[] {
    const step = this.step.value;
    return this.source.info.layers.flatMap(({ heads, call }, layer) => (call === step ? heads.map((_, head): Head => [layer, head]) : []));
  }

  /** How many times the layers ran: the steps of a text that was being written. */
  get steps(): number {
    return 1 + Math.max(...this.source.info.layers.map((layer) => layer.call));
  }

  /** The same heads in another step, as far as they ran in it. */
  go(step: number): void {
    const { layers } = this.source.info;
    const heads = this.store.now.heads.flatMap(([layer, head]): Head[] => {
      const found = layers.findIndex((x) => x.number === layers[layer].number && x.call === step);
      return found < 0 ? [] : [[found, head]];
    });
    const first = layers.findIndex((x) => x.call === step);
    this.store.set({ heads: heads.length ? heads : [[first, 0]], query: null, key: null });
  }

  scale(most = this.most.value): Scale {
    return scaleTo(most, this.store.state.value.log, this.ground.value);
  }

  /** Whatever was selected before must fit what is shown now. */
  private keep(): void {
    const { store, source } = this;
    const asking = (question: (signal: AbortSignal) => Promise<void> | undefined) =>
      this.stops.push(
        effect(() => {
          const controller = new AbortController();
          question(controller.signal)?.catch((error: Error) => {
            if (error.name !== "AbortError") this.error.value = error.message;
          });
          return () => controller.abort();
        }),
      );
    asking((signal) => {
      const [lens, query] = [store.lens.value, store.query.value];
      if (!query) {
        this.row.value = null;
        return;
      }
      return source.rows(lens, ...query, signal).then((row) => void (this.row.value = row));
    });
    asking((signal) => {
      const [lens, key] = [store.lens.value, store.key.value];
      if (!key) {
        this.column.value = null;
        return;
      }
      return source.columns(lens, ...key, signal).then((column) => void (this.column.value = column));
    });
    asking((signal) => {
      const [lens, query, key] = [store.lens.value, store.query.value, store.key.value];
      if (!query) {
        this.looks.value = null;
        return;
      }
      return source.looks(lens, query, key, signal).then((looks) => void (this.looks.value = looks));
    });
    asking((signal) => {
      const lens = store.whole.value;
      this.step.value;
      this.statistics.value = new Map();
      return Promise.all(
        this.heads.map(async (head) => {
          const found = await source.statistics(head, lens, signal);
          this.statistics.value = new Map(this.statistics.peek()).set(head.join("."), found);
        }),
      ).then(() => undefined);
    });
  }

  close(): void {
    for (const stop of this.stops) stop();
  }
}
