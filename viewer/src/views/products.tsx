/** For one pair of tokens, how the products of the head's dimensions add up to the score. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { inkOf, paperOf, standalone } from "../marks/picture";
import { groupsOf } from "../data/texts";
import { headName, visible, weightText } from "./format";
import type { Model } from "./model";

const [WIDTH, HEIGHT, MIDDLE] = [640, 260, 130];

export function Products({ model }: { model: Model }) {
  const { store, source } = model;
  const { heads, query, key, text, unit } = store.state.value;
  const found = useSignal<{ products: Float32Array | null; weight: number } | null>(null);
  const [head] = heads;
  const token = (span: readonly [number, number] | null, side: 0 | 1) => span && groupsOf(source.info, head[0], side, text, unit).spans[span[0]]?.[0];
  const [i, j] = [token(query, 0), token(key, 1)];
  useEffect(() => {
    found.value = null;
    if (typeof i !== "number" || typeof j !== "number") return;
    let isOver = false;
    source.products(head, text, i, j).then(
      (answer) => {
        if (!isOver) found.value = answer;
      },
      (error: Error) => {
        if (!isOver) model.error.value = error.message;
      },
    );
    return () => {
      isOver = true;
    };
  }, [head, text, i, j]);
  const drawing = useRef<SVGSVGElement>(null);
  useEffect(() => {
    const numbers = found.value?.products;
    if (!numbers) return;
    model.kept.value = {
      svg: () => standalone(drawing.current!, paperOf(drawing.current!), [[`${headName(source.info, head)}: what each dimension of q·k adds to the score`, inkOf(drawing.current!)]]),
      table: async () => [["dimension", "scale · q · k"], ...Array.from(numbers, (x, d) => [d, x])],
    };
    return () => {
      model.kept.value = null;
    };
  }, [found.value]);
  if (typeof i !== "number" || typeof j !== "number") return <p class="empty">Choose a word (query) and another that it looks at (key, with Alt): then this shows what each dimension of q·k adds to their score.</p>;
  const piece = (at: number, side: 0 | 1) => visible(groupsOf(source.info, head[0], side, text, "pieces").names[at]);
  const answer = found.value;
  if (!answer) return <p class="empty">…</p>;
  if (!answer.products) return <p class="empty">Of this layer only the weights were kept, not q and k.</p>;
  const products = answer.products;
  const total = products.reduce((a, b) => a + b, 0);
  const most = Math.max(1e-9, ...products.map(Math.abs));
  const step = (WIDTH - 40) / products.length;
  const bar = (x: number) => (x / most) * (MIDDLE - 24);
  const order = [...products.keys()].sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]));
  const few = order.slice(0, 3).map((d) => `${d} (${products[d].toFixed(2)})`);
  return (
    <figure class="products">
      <svg ref={drawing} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`What each of ${products.length} dimensions adds to the score ${total.toFixed(3)}`}>
        <line x1="30" x2={WIDTH - 10} y1={MIDDLE} y2={MIDDLE} class="axis" />
        {Array.from(products, (x, d) => (
          <rect x={30 + d * step + step * 0.1} width={step * 0.8} y={x > 0 ? MIDDLE - bar(x) : MIDDLE} height={Math.max(0.5, Math.abs(bar(x)))} class={x > 0 ? "adds" : "takes"}>
            <title>{`dimension ${d}: ${x.toFixed(4)}`}</title>
          </rect>
        ))}
        <text x="4" y="22">{`+${most.toFixed(2)}`}</text>
        <text x="4" y={HEIGHT - 12}>{`−${most.toFixed(2)}`}</text>
      </svg>
      <figcaption class="text">
        {headName(source.info, head)}: <bdi>{piece(i, 0)}</bdi> → <bdi>{piece(j, 1)}</bdi>, scale · Σ q·k = {total.toFixed(3)} over {products.length} dimensions, which makes the weight{" "}
        <strong>{weightText(answer.weight)}</strong>. Most of it from dimensions {few.join(", ")}.
        {store.state.value.hide !== "nothing" && " It is the weight before anything is hidden."}
        {unit === "words" && " Of a word with several pieces the first is shown."}
      </figcaption>
    </figure>
  );
}
