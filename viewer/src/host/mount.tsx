/** Puts a viewer into an element: what the three hosts have in common. */

import { effect } from "@preact/signals";
import { render } from "preact";
import type { Source } from "../data/source";
import { fromHash, START, Store } from "../state";
import { App } from "../views/app";
import { fitted, Model } from "../views/model";
import { surroundings } from "./ground";

export interface Mounted {
  model: Model;
  close(): void;
}

/** Shows what `source` has; `start` is what is selected at first, as an address says it after #. */
export function mount(root: HTMLElement, source: Source, start: string): Mounted {
  const store = new Store(fromHash(start, START), (state) => fitted(state, source.info));
  const ground = surroundings(root.ownerDocument);
  const model = new Model(store, source, ground.isDark);
  root.textContent = "";
  root.classList.add("clearhead-root");
  render(<App model={model} />, root);
  return {
    model,
    close() {
      render(null, root);
      model.close();
      source.close();
      ground.close();
    },
  };
}

/** A whole page of it: the state is the address, and errors stand where the viewer would. */
export async function fill(open: () => Promise<{ source: Source; start: string }>): Promise<void> {
  const root = document.getElementById("clearhead")!;
  try {
    const { source, start } = await open();
    const { model } = mount(root, source, start);
    model.store.follow(window);
    effect(() => void (document.documentElement.dataset.theme = model.ground.value));
    const text = source.info.texts.tokens?.[0]?.text ?? "";
    document.title = [text.length > 40 ? `${text.slice(0, 40)}…` : text, source.info.title, "clearhead"].filter(Boolean).join(" – ");
  } catch (error) {
    root.textContent = error instanceof Error ? error.message : String(error);
    root.setAttribute("role", "alert");
  }
}
