/** Whether what stands around the viewer is dark: a notebook's own theme, or else what the system asks for. */

import { type ReadonlySignal, signal } from "@preact/signals";

/** How notebooks say it; null where they do not. */
const says: readonly ((page: Document) => boolean | null)[] = [
  ({ body }) => (body.dataset.jpThemeLight ? body.dataset.jpThemeLight === "false" : null), // JupyterLab and Notebook
  ({ body }) => (body.dataset.vscodeThemeKind ? /dark|high-contrast$/.test(body.dataset.vscodeThemeKind) : null), // VS Code
  ({ body }) => (body.matches(".dark-theme, .light-theme") ? body.matches(".dark-theme") : null), // marimo
  ({ documentElement }) => (documentElement.hasAttribute("theme") ? documentElement.getAttribute("theme") === "dark" : null), // Colab
];

/** Follows the theme around the viewer; `close` ends that. */
export function surroundings(page: Document): { isDark: ReadonlySignal<boolean>; close(): void } {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = signal(false);
  const read = () => {
    const said = says.map((how) => how(page)).find((x) => x !== null);
    isDark.value = said ?? system.matches;
  };
  read();
  system.addEventListener("change", read);
  const attributes = new MutationObserver(read);
  for (const element of [page.body, page.documentElement]) attributes.observe(element, { attributes: true, attributeFilter: ["class", "theme", "data-jp-theme-light", "data-vscode-theme-kind"] });
  return {
    isDark,
    close() {
      system.removeEventListener("change", read);
      attributes.disconnect();
    },
  };
}
