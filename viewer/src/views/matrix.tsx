/** The chosen heads as a map to zoom into: one focusable grid with a described active cell. */

import { effect, type Signal, untracked, useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomTransform } from "d3-zoom";
import { block } from "../data/block";
import { TILE, type Tile } from "../data/source";
import { paint, type Scale } from "../marks/color";
import { escaped } from "../marks/picture";
import { TileCache } from "../tiles/cache";
import { type Address, keyOf, levelFor, parentOf, type Viewport, visibleTiles } from "../tiles/visible";
import type { State } from "../state";
import { ends, Legend } from "./legend";
import type { Model } from "./model";
import { weightText } from "./format";

const LARGEST_CELL = 64;
const MOST_CELLS = 1_000_000;
/** Pixels for the words from and to. */
const CORNER = 52;

/** The canvas of one map, and how it is moved. */
class Board {
  readonly cache: TileCache;
  private readonly images = new WeakMap<Tile, { key: string; bitmap: HTMLCanvasElement }>();
  private readonly mosts = new WeakMap<Tile, { mean?: number; max?: number }>();
  transform: ZoomTransform = zoomIdentity;
  /** Pixels that the labels of rows and columns take. */
  labels = 0;
  private frame = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly model: Model,
    private readonly rows: number,
    private readonly columns: number,
    /** How many cells a pixel of what is drawn stands for, in each direction. */
    private readonly pooled: Signal<number>,
  ) {
    const lens = untracked(() => model.store.lens.value);
    this.cache = new TileCache(
      (address, signal) => model.source.tile(lens, address.level, address.y, address.x, signal),
      () => this.draw(),
      (error) => {
        model.error.value = error.message;
      },
    );
  }

  /** Takes the canvas as it is now, which may have been hidden before. */
  measure(): void {
    this.labels = this.room();
  }

  /** As much as the longest words need, within bounds. */
  private room(): number {
    const context = this.canvas.getContext("2d")!;
    context.font = `14px ${getComputedStyle(this.canvas).fontFamily}`;
    let longest = 0;
    for (const words of [this.model.queryWords.peek(), this.model.keyWords.peek()]) {
      const letters = words.reduce((most, word) => Math.max(most, word.length), 0);
      const long = words.filter((word) => word.length >= letters - 1).slice(0, 50);
      for (const word of long) longest = Math.max(longest, context.measureText(word.slice(0, 40)).width);
    }
    return Math.ceil(Math.min(Math.max(longest + 12, CORNER), 120, this.canvas.clientWidth / 4));
  }

  /** Pixels a cell where the whole is in sight. */
  get fit(): number {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min(LARGEST_CELL, (clientWidth - this.labels) / this.columns, (clientHeight - this.labels) / this.rows);
  }

  get port(): Viewport {
    const { k, x, y } = this.transform;
    const { clientWidth, clientHeight } = this.canvas;
    return { scale: this.fit * k, left: x, top: y, width: clientWidth - this.labels, height: clientHeight - this.labels };
  }

  /** The row and column there; of a label one of them. */
  cellAt(x: number, y: number): { query: number | null; key: number | null } | null {
    const { scale, left, top } = this.port;
    const at = (pixel: number, offset: number, count: number): number | null | undefined => {
      const cell = Math.floor((pixel - this.labels - offset) / scale);
      if (pixel < this.labels) return null;
      return cell >= 0 && cell < count ? cell : undefined;
    };
    const [key, query] = [at(x, left, this.columns), at(y, top, this.rows)];
    return query === undefined || key === undefined || (query === null && key === null) ? null : { query, key };
  }

  draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawNow());
  }

  private drawNow(): void {
    const { canvas, model } = this;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    const context = canvas.getContext("2d")!;
    const style = getComputedStyle(canvas);
    const state = model.store.state.peek();
    const scale = untracked(() => model.scale());
    const port = this.port;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;

    const level = levelFor(port.scale, density, this.rows, this.columns);
    const top: Address = { level: levelFor(0, 1, this.rows, this.columns), y: 0, x: 0 };
    const tiles = visibleTiles(port, level, this.rows, this.columns);
    this.cache.want([top, ...tiles.filter((tile) => keyOf(tile) !== keyOf(top))]);
    const most = this.mostOf([...tiles, ...(tiles.some((tile) => this.cache.get(tile)) ? [] : [top])], state.pool);
    if (most !== null && most !== model.most.peek()) model.most.value = most; // which draws again

    context.save();
    context.beginPath();
    context.rect(this.labels, this.labels, port.width, port.height);
    context.clip();
    const drawn = tiles.map((address) => this.drawTile(context, address, port, scale, state.pool));
    model.isPreview.value = drawn.some((tile) => tile?.preview);
    this.drawSelection(context, port, style);
    context.restore();
    this.drawLabels(context, port, style);
    this.pooled.value = 2 ** level;
    canvas.dataset.level = String(level);
    canvas.dataset.waiting = String(this.cache.isWaiting);
  }

  /**
   * What the strongest ink stands for: the most there is in sight. Of a long map it is what all but one in 200 pixels stay
   * below, since in a causal one the first rows would leave nothing to see of the others, and in round numbers, since it
   * moves with what is in sight.
   */
  private mostOf(addresses: Address[], pool: "mean" | "max"): number | null {
    const { isLong } = this;
    let most: number | null = null;
    for (const address of addresses) {
      const tile = this.cache.get(address);
      if (!tile) continue;
      const known = this.mosts.get(tile) ?? {};
      this.mosts.set(tile, known);
      known[pool] ??= isLong ? nearlyMost(tile[pool]) : tile[pool].reduce((a, b) => (b > a ? b : a), 0);
      most = Math.max(most ?? 0, known[pool]);
    }
    if (!most || !isLong) return most;
    const ten = 10 ** Math.floor(Math.log10(most));
    const round = [1, 2, 5, 10].find((step) => step * ten >= most)! * ten;
    return most <= 1 ? Math.min(1, round) : round;
  }

  private drawTile(context: CanvasRenderingContext2D, address: Address, port: Viewport, scale: Scale, pool: "mean" | "max"): Tile | undefined {
    const cells = 256 * 2 ** address.level;
    let known: Address | null = address;
    let tile = this.cache.get(known);
    while (!tile && known.level < 24) {
      known = parentOf(known);
      tile = this.cache.get(known);
    }
    if (!tile) return undefined;
    const image = this.image(tile, scale, pool);
    // The part of the ancestor that this tile is, stretched until the tile itself has come.
    const up = known.level - address.level;
    const part = 256 / 2 ** up;
    const sourceLeft = (address.x - (known.x << up)) * part;
    const sourceTop = (address.y - (known.y << up)) * part;
    const sourceWidth = Math.min(part, tile.columns - sourceLeft);
    const sourceHeight = Math.min(part, tile.rows - sourceTop);
    if (sourceWidth <= 0 || sourceHeight <= 0) return tile;
    const pixel = (cells / part) * port.scale;
    const place = (start: number, offset: number) => this.labels + offset + start * port.scale;
    const [x, y] = [place(address.x * cells, port.left), place(address.y * cells, port.top)];
    context.drawImage(image, sourceLeft, sourceTop, sourceWidth, sourceHeight, x, y, sourceWidth * pixel, sourceHeight * pixel);
    return tile;
  }

  /** Where keys zoom in: at what is selected, as far as that is in sight, else in the middle. */
  get middle(): [x: number, y: number] {
    const { query, key } = this.model.store.now;
    const { scale, left, top, width, height } = this.port;
    const at = (span: readonly [number, number] | null, offset: number, size: number): number => {
      const place = span ? offset + ((span[0] + span[1]) / 2) * scale : -1;
      return place >= 0 && place <= size ? place : size / 2;
    };
    return [at(key, left, width), at(query, top, height)];
  }

  /** What is in sight, as the address says it. */
  get zoom(): State["zoom"] {
    if (this.transform.k < 1.001) return null;
    const { scale, left, top, width } = this.port;
    return [Math.max(0, Math.round(-top / scale)), Math.max(0, Math.round(-left / scale)), Math.max(1, Math.round(width / scale))];
  }

  /** The transform with which that is in sight. */
  transformFor(zoom: State["zoom"]): ZoomTransform {
    if (!zoom) return zoomIdentity;
    const scale = Math.max(this.fit, Math.min(LARGEST_CELL, this.port.width / zoom[2]));
    return zoomIdentity.translate(-zoom[1] * scale, -zoom[0] * scale).scale(scale / this.fit);
  }

  private image(tile: Tile, scale: Scale, pool: "mean" | "max"): HTMLCanvasElement {
    const key = `${pool} ${scale.isLog} ${scale.most} ${scale.table[0]}`;
    const known = this.images.get(tile);
    if (known?.key === key) return known.bitmap;
    const bitmap = document.createElement("canvas");
    bitmap.width = tile.columns;
    bitmap.height = tile.rows;
    bitmap.getContext("2d")!.putImageData(paint(tile[pool], tile.rows, tile.columns, scale), 0, 0);
    this.images.set(tile, { key, bitmap });
    return bitmap;
  }

  private drawSelection(context: CanvasRenderingContext2D, port: Viewport, style: CSSStyleDeclaration) {
    const { query, key } = this.model.store.state.peek();
    const hover = this.model.store.hover.peek();
    const across = (from: number, to: number): [number, number] => [this.labels + port.left + from * port.scale, (to - from) * port.scale];
    const down = (from: number, to: number): [number, number] => [this.labels + port.top + from * port.scale, (to - from) * port.scale];
    // Bands end where the map does.
    const end: [number, number] = [this.labels + Math.max(0, port.left), Math.min(port.width, port.left + this.columns * port.scale) - Math.max(0, port.left)];
    const tall: [number, number] = [this.labels + Math.max(0, port.top), Math.min(port.height, port.top + this.rows * port.scale) - Math.max(0, port.top)];
    context.lineWidth = 1;
    context.strokeStyle = style.getPropertyValue("--line");
    if (hover.query !== null) strokeBand(context, end, down(hover.query, hover.query + 1));
    if (hover.key !== null) strokeBand(context, across(hover.key, hover.key + 1), tall);
    context.lineWidth = 2;
    context.strokeStyle = style.getPropertyValue("--query");
    if (query) strokeBand(context, end, down(...query));
    context.strokeStyle = style.getPropertyValue("--key");
    if (key) strokeBand(context, across(...key), tall);
  }

  private drawLabels(context: CanvasRenderingContext2D, port: Viewport, style: CSSStyleDeclaration) {
    const { model } = this;
    const size = Math.max(10, Math.min(14, port.scale - 2));
    context.font = `${size}px ${style.fontFamily}`;
    context.textBaseline = "middle";
    const every = Math.max(1, Math.ceil((size + 3) / port.scale));
    const { query, key } = model.store.state.peek();
    const hover = model.store.hover.peek();
    const [words, others] = [model.queryWords.peek(), model.keyWords.peek()];
    const ink = (at: number, span: readonly [number, number] | null, hovered: number | null, name: string) =>
      style.getPropertyValue(span && at >= span[0] && at < span[1] ? name : hovered === at ? "--ink" : "--quiet");
    // Every n-th in sight, and those that are selected or pointed at instead of what would overlap them.
    const labelled = (offset: number, size: number, count: number, span: readonly [number, number] | null, hovered: number | null): number[] => {
      const [first, last] = [Math.max(0, Math.floor(-offset / port.scale)), Math.min(count - 1, Math.floor((size - offset) / port.scale))];
      const marked = [span?.[0], hovered].filter((at): at is number => typeof at === "number" && at >= first && at <= last);
      const found = [...new Set(marked)];
      for (let at = Math.ceil(first / every) * every; at <= last; at += every) if (!marked.some((x) => Math.abs(x - at) < every)) found.push(at);
      return found;
    };
    context.textAlign = "right";
    for (const i of labelled(port.top, port.height, words.length, query, hover.query)) {
      const y = this.labels + port.top + (i + 0.5) * port.scale;
      if (y < this.labels || y > this.labels + port.height) continue;
      context.fillStyle = ink(i, query, hover.query, "--query");
      context.fillText(cut(context, words[i], this.labels), this.labels - 6, y);
    }
    context.font = `11px ${style.fontFamily}`;
    context.fillStyle = style.getPropertyValue("--quiet");
    for (const [word, y] of this.corner) context.fillText(word, this.labels - 6, y);
    context.font = `${size}px ${style.fontFamily}`;
    context.textAlign = "left";
    for (const j of labelled(port.left, port.width, others.length, key, hover.key)) {
      const x = this.labels + port.left + (j + 0.5) * port.scale;
      if (x < this.labels || x > this.labels + port.width) continue;
      context.save();
      context.translate(x, this.labels - 6);
      context.rotate(-Math.PI / 2);
      context.fillStyle = ink(j, key, hover.key, "--key");
      context.fillText(cut(context, others[j], this.labels), 0, 0);
      context.restore();
    }
  }

  /** Which side looks, and which is looked at, and how far down that stands. */
  private get corner(): [string, number][] {
    return [
      ["to →", this.labels - 26],
      ["from ↓", this.labels - 13],
    ];
  }

  /** The rows and columns in sight. */
  get sight(): { from: number; rows: number; first: number; columns: number } {
    const { scale, left, top, width, height } = this.port;
    const much = 1e-6; // less of a cell is rounding
    const range = (offset: number, size: number, count: number): [number, number] => [Math.max(0, Math.floor(-offset / scale + much)), Math.min(count, Math.ceil((size - offset) / scale - much))];
    const [from, to] = range(top, height, this.rows);
    const [first, last] = range(left, width, this.columns);
    return { from, rows: to - from, first, columns: last - first };
  }

  /** What is in sight as a drawing: the cells as one picture, words as words. */
  svg(): string {
    const { model, canvas } = this;
    const port = this.port;
    const style = getComputedStyle(canvas);
    const { from, rows, first, columns } = this.sight;
    const cells = document.createElement("canvas");
    const size = Math.min(port.width, columns * port.scale);
    const tall = Math.min(port.height, rows * port.scale);
    const density = window.devicePixelRatio || 1;
    const [x, y] = [this.labels + Math.max(0, port.left), this.labels + Math.max(0, port.top)];
    cells.width = Math.max(1, Math.round(size * density));
    cells.height = Math.max(1, Math.round(tall * density));
    cells.getContext("2d")!.drawImage(canvas, x * density, y * density, size * density, tall * density, 0, 0, cells.width, cells.height);
    const [words, others] = [model.queryWords.peek(), model.keyWords.peek()];
    const font = Math.max(8, Math.min(14, port.scale - 2));
    const every = Math.max(1, Math.ceil((font + 3) / port.scale));
    const ink = style.getPropertyValue("--ink");
    const context = canvas.getContext("2d")!; // which measures, so that labels are as long as on the screen
    context.font = `${font}px ${style.fontFamily}`;
    const labels: string[] = [];
    for (let i = Math.ceil(from / every) * every; i < from + rows; i += every)
      labels.push(`<text x="${this.labels - 6}" y="${this.labels + port.top + (i + 0.5) * port.scale}" dy="0.35em" text-anchor="end">${escaped(cut(context, words[i], this.labels))}</text>`);
    for (let j = Math.ceil(first / every) * every; j < first + columns; j += every)
      labels.push(`<text transform="translate(${this.labels + port.left + (j + 0.5) * port.scale} ${this.labels - 6}) rotate(-90)" dy="0.35em">${escaped(cut(context, others[j], this.labels))}</text>`);
    const corner = this.corner.map(([word, y]) => `<text x="${this.labels - 6}" y="${y}" dy="0.35em" text-anchor="end" font-size="11">${word}</text>`).join("");
    const scale = model.scale();
    const colour = (at: number) => `rgb(${[0, 1, 2].map((c) => scale.table[Math.round(at * 255) * 4 + c]).join(" ")})`;
    const stops = [0, 0.25, 0.5, 0.75, 1].map((at) => `<stop offset="${at}" stop-color="${colour(at)}"/>`).join("");
    const [least, most] = ends(scale, this.isLong);
    const below = y + tall + 24;
    const ramp = `<linearGradient id="ramp">${stops}</linearGradient><text x="${x}" y="${below}" dy="0.35em" font-size="11">${least}</text><rect x="${x + 60}" y="${below - 5}" width="96" height="10" fill="url(#ramp)" stroke="${style.getPropertyValue("--line")}"/><text x="${x + 164}" y="${below}" dy="0.35em" font-size="11">${most}</text>`;
    const [width, height] = [Math.max(x + size + 16, 360), below + 16];
    const head = 28; // of room for what it is
    const pooled = this.pooled.peek();
    const title = [model.caption.peek(), model.source.info.title, model.isPreview.peek() && "sampled preview", pooled > 1 && `${model.store.now.pool === "max" ? "maximum" : "mean"} of ${pooled} × ${pooled}`].filter(Boolean).join(" · ");
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 ${-head} ${width} ${height + head}" width="${width}" height="${height + head}" font-family="sans-serif" font-size="${font}" fill="${ink}"><rect y="${-head}" width="${width}" height="${height + head}" fill="${style.getPropertyValue("--paper")}"/><text x="8" y="-8" font-size="13">${escaped(title)}</text><image x="${x}" y="${y}" width="${size}" height="${tall}" href="${cells.toDataURL()}"/>${labels.join("")}${corner}${ramp}</svg>`;
  }

  private get isLong(): boolean {
    return Math.max(this.rows, this.columns) > TILE;
  }

  /** The weights in sight, with words around them. */
  async table(): Promise<(string | number)[][]> {
    const { from, rows, first, columns } = this.sight;
    if (rows * columns > MOST_CELLS) throw new Error(`${rows * columns} weights are in sight: zoom in to at most ${MOST_CELLS}`);
    const [words, others] = [this.model.queryWords.peek(), this.model.keyWords.peek()];
    const lens = this.model.store.lens.peek();
    const found: (string | number)[][] = [[this.model.caption.peek(), ...others.slice(first, first + columns)]];
    const weights = await block(this.model.source, lens, from, rows, first, columns);
    for (let i = 0; i < rows; i++) found.push([words[from + i], ...weights.subarray(i * columns, (i + 1) * columns)]);
    return found;
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.cache.close();
  }
}

/** What all but one in 200 of the positive numbers stay below, by a sample of them. */
function nearlyMost(numbers: Float32Array): number {
  const step = Math.max(1, Math.floor(numbers.length / 8192));
  const sample = numbers.filter((x, at) => x > 0 && at % step === 0).sort();
  return sample.length ? sample[Math.floor((sample.length - 1) * 0.995)] : 0;
}

function strokeBand(context: CanvasRenderingContext2D, [x, width]: [number, number], [y, height]: [number, number]) {
  context.strokeRect(x - 0.5, y - 0.5, Math.max(2, width + 1), Math.max(2, height + 1));
}

function cut(context: CanvasRenderingContext2D, word: string, room: number): string {
  if (context.measureText(word.slice(0, 60)).width <= room - 10 && word.length <= 60) return word;
  const letters = [...word.slice(0, 60)];
  while (letters.length && context.measureText(`${letters.join("")}…`).width > room - 10) letters.pop();
  return `${letters.join("")}…`;
}

export function Matrix({ model }: { model: Model }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const said = useSignal("");
  const pooled = useSignal(1);
  const id = useId();
  const [rows, columns] = [model.queryWords.value.length, model.keyWords.value.length];
  const lens = model.store.lens.value;

  useEffect(() => {
    const element = canvas.current!;
    const board = new Board(element, model, rows, columns, pooled);
    board.measure();
    const { store } = model;
    model.kept.value = board;
    const behaviour = zoom<HTMLCanvasElement, unknown>()
      .extent(() => [
        [0, 0],
        [element.clientWidth - board.labels, element.clientHeight - board.labels],
      ])
      .on("zoom", ({ transform, sourceEvent }: { transform: ZoomTransform; sourceEvent: MouseEvent | null }) => {
        board.transform = transform;
        board.draw();
        if (sourceEvent instanceof MouseEvent) move(sourceEvent); // another cell is under the pointer now
      })
      .on("end", () => {
        if (`${board.zoom}` !== `${store.now.zoom}`) store.set({ zoom: board.zoom });
      });
    const bound = () =>
      behaviour.scaleExtent([1, Math.max(1, LARGEST_CELL / board.fit)]).translateExtent([
        [0, 0],
        [board.fit * columns, board.fit * rows],
      ]);
    bound();
    const selection = select(element);
    selection.call(behaviour).on("dblclick.zoom", null);
    const stop = effect(() => {
      store.state.value;
      store.hover.value;
      model.ground.value;
      model.most.value;
      board.draw();
    });
    const show = (to: State["zoom"]) => {
      const extent = behaviour.extent().call(element, undefined);
      selection.call(behaviour.transform, to ? behaviour.constrain()(board.transformFor(to), extent, behaviour.translateExtent()) : zoomIdentity);
    };
    const place = () => {
      if (`${board.zoom}` !== `${store.zoom.value}`) show(store.zoom.value);
    };
    const stopZoom = effect(place);
    const size = new ResizeObserver(() => {
      board.measure();
      bound();
      show(store.now.zoom);
      board.draw();
    });
    size.observe(element);
    const move = (event: MouseEvent) => {
      const { left, top } = element.getBoundingClientRect();
      store.hover.value = board.cellAt(event.clientX - left, event.clientY - top) ?? { query: null, key: null };
    };
    const leave = () => {
      store.hover.value = { query: null, key: null };
    };
    const click = (event: MouseEvent) => {
      const { left, top } = element.getBoundingClientRect();
      const cell = board.cellAt(event.clientX - left, event.clientY - top);
      if (!cell) return;
      const [query, key] = [cell.query, cell.key].map((at) => (at === null ? null : ([at, at + 1] as const)));
      store.set({ ...(query && { query }), ...(key && { key }) });
    };
    const command = (event: Event) => {
      const factor = { "+": 1.5, "-": 1 / 1.5, "0": 0 }[(event as CustomEvent<string>).detail];
      if (factor === 0) selection.call(behaviour.transform, zoomIdentity);
      else if (factor) selection.call(behaviour.scaleBy, factor, board.middle);
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerleave", leave);
    element.addEventListener("click", click);
    element.addEventListener("zoom-by", command);
    return () => {
      stop();
      stopZoom();
      size.disconnect();
      selection.on(".zoom", null);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerleave", leave);
      element.removeEventListener("click", click);
      element.removeEventListener("zoom-by", command);
      model.kept.value = null;
      model.isPreview.value = false;
      board.close();
    };
  }, [lens, rows, columns]);

  // The weight that the crosshair, or else the selection, is on.
  useEffect(
    () =>
      effect(() => {
        const { query, key } = model.store.state.value;
        const hover = model.store.hover.value;
        const [i, j] = [hover.query ?? query?.[0], hover.key ?? key?.[0]];
        if (i === undefined || j === undefined || i >= model.queryWords.peek().length || j >= model.keyWords.peek().length) {
          said.value = "";
          return undefined;
        }
        const controller = new AbortController();
        const timer = setTimeout(() => tell(i, j, controller.signal), 40); // not for every cell that the pointer passes
        return () => {
          clearTimeout(timer);
          controller.abort();
        };
      }),
    [],
  );

  function tell(i: number, j: number, abort: AbortSignal): void {
    const [from, to] = [model.queryWords.peek()[i], model.keyWords.peek()[j]];
    if (model.isHidden([j, j + 1])) {
      said.value = `${from} → ${to}: this key is hidden`;
      return;
    }
    model.source.rows(model.store.lens.peek(), i, i + 1, abort).then(
      (row) => {
        const rank = 1 + row.reduce((count, x) => count + Number(x > row[j]), 0);
        said.value = `${from} → ${to}: ${weightText(row[j])}, ${rank === 1 ? "largest" : `rank ${rank}`} of its row`;
      },
      () => undefined,
    );
  }

  return (
    <figure class="matrix">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="grid"
        aria-label="Weights: queries down, keys across"
        aria-rowcount={rows}
        aria-colcount={columns}
        aria-activedescendant={id}
      >
        <div role="row">
          <div role="gridcell" id={id}>
            {said.value || "no cell is selected"}
          </div>
        </div>
      </canvas>
      <figcaption>
        <output aria-live="polite">
          {said.value || "Point at a cell, or use the arrow keys."}
        </output>
        <Legend model={model} pooled={pooled.value} isLong={Math.max(rows, columns) > TILE} />
      </figcaption>
    </figure>
  );
}
