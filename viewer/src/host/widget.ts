/** The notebook widget, by anywidget: Jupyter, JupyterLab, VS Code, marimo. */

import { effect } from "@preact/signals";
import type { Beside } from "../data/capture";
import { local } from "../weights/local";
import style from "../style.css?inline";
import { mount } from "./mount";

/** What the notebook and Python have in common (clearhead/views/widget.py). */
interface Traits {
  _capture: DataView;
  _beside: Beside;
  selection: string;
  height: number;
}

/** The part of anywidget's model that is used here. */
interface Shared {
  get<K extends keyof Traits>(name: K): Traits[K];
  set<K extends keyof Traits>(name: K, value: Traits[K]): void;
  save_changes(): void;
  on(event: string, listen: () => void): void;
  off(event: string, listen: () => void): void;
}

/** The viewer is a root by itself, so that it and the notebook know nothing of each other's styles, names and keys. */
const HOST = `
:host { all: initial !important; display: block !important; }
.clearhead-root { overflow: auto; outline: none; border: 1px solid #8884; box-sizing: border-box; }
`;

/** Shows the capture of `model` in `el`; gives what ends that. */
export async function render({ model, el }: { model: Shared; el: HTMLElement }): Promise<() => void> {
  const host = el.appendChild(el.ownerDocument.createElement("div"));
  host.dataset.lmSuppressShortcuts = "true"; // else m would also make JupyterLab's cell Markdown
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style + HOST);
  shadow.adoptedStyleSheets = [sheet];
  const root = shadow.appendChild(el.ownerDocument.createElement("div"));
  root.tabIndex = -1; // a click anywhere in it makes the keys its own
  const stops: (() => void)[] = [() => host.remove()];
  const close = () => {
    for (const stop of stops.splice(0).reverse()) stop();
  };
  const follow = (event: string, listen: () => void) => {
    model.on(event, listen);
    stops.push(() => model.off(event, listen));
    listen();
  };

  follow("change:height", () => (root.style.height = `${model.get("height")}px`));
  // Keys that reach the notebook are its commands; the wheel scrolls the notebook until the widget has the focus.
  shadow.addEventListener("keydown", (event) => event.stopPropagation());
  const wheel = (event: Event) => shadow.activeElement || (event as WheelEvent).ctrlKey || (event as WheelEvent).metaKey || event.stopPropagation();
  shadow.addEventListener("wheel", wheel, { capture: true, passive: true });

  try {
    const bytes = model.get("_capture");
    // A copy, since the worker keeps what it is given and the notebook may show the widget again.
    const source = await local(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice() as Uint8Array<ArrayBuffer>, model.get("_beside"));
    const { model: viewer, close: unmount } = mount(root, source, "");
    stops.push(unmount);
    const { store } = viewer;
    follow("change:selection", () => {
      if (model.get("selection") !== store.hash) store.hash = model.get("selection");
    });
    stops.push(
      effect(() => {
        const { hash } = store;
        if (hash === model.get("selection")) return;
        model.set("selection", hash);
        model.save_changes();
      }),
    );
  } catch (error) {
    root.textContent = error instanceof Error ? error.message : String(error);
    root.setAttribute("role", "alert");
  }
  return close;
}
