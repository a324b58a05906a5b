/** Keeping what is seen: a picture, the numbers, a link. */

import { useSignal } from "@preact/signals";
import { csv, download, raster } from "../marks/picture";
import { headName } from "./format";
import type { Model } from "./model";

/** What a view gives to be kept. */
export interface Kept {
  svg(): string;
  table(): Promise<(string | number)[][]>;
}

export function Export({ model }: { model: Model }) {
  const said = useSignal("");
  const { heads, view } = model.store.state.value;
  const name = `${heads.map((head) => headName(model.source.info, head).replace("@", "-")).join("+")}-${view}`;
  const kept = model.kept.value;
  async function keep(kind: "png" | "svg" | "csv" | "link") {
    try {
      if (kind === "link") {
        await navigator.clipboard.writeText(window.location.href);
        said.value = "The link is on the clipboard.";
        return;
      }
      if (!kept) return;
      if (kind === "csv") download(new Blob([csv(await kept.table())], { type: "text/csv" }), `${name}.csv`);
      else if (kind === "svg") download(new Blob([kept.svg()], { type: "image/svg+xml" }), `${name}.svg`);
      else download(await raster(kept.svg()), `${name}.png`);
      said.value = `${name}.${kind} was written.`;
    } catch (error) {
      said.value = kind === "link" ? `Copy it from the address bar: ${window.location.href}` : String((error as Error).message);
    }
  }
  return (
    <div class="export" role="group" aria-label="Keep what is seen">
      {(["png", "svg", "csv"] as const).map((kind) => (
        <button type="button" disabled={!kept} onClick={() => void keep(kind)}>
          {kind.toUpperCase()}
        </button>
      ))}
      {model.store.isAddress.value && (
        <button type="button" onClick={() => void keep("link")}>
          Link
        </button>
      )}
      <span role="status" class="quiet">
        {said.value}
      </span>
    </div>
  );
}
