/** The page: what to look at on the left, the chosen view in the middle, what is selected on the right. */

import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { HIDES, type State, THEMES, type View } from "../state";
import { Arcs } from "./arcs";
import { Export } from "./export";
import { Help } from "./help";
import { Image } from "./image";
import { Inspector } from "./inspector";
import { Matrix } from "./matrix";
import type { Model } from "./model";
import { onKey } from "./keys";
import { Overview } from "./overview";
import { Products } from "./products";
import { Find, Words } from "./words";

const LABELS: Record<View, string> = { matrix: "Matrix", arcs: "Arcs", products: "q·k", image: "Image" };
const HIDE_LABELS: Record<State["hide"], string> = { nothing: "nothing", special: "special tokens", first: "first token" };

export function App({ model }: { model: Model }) {
  const { store, source } = model;
  const root = useRef<HTMLDivElement>(null);
  const isHelp = useSignal(false);
  const panel = useId();
  const state = store.state.value;
  const views = model.views.value;
  const view = model.view.value;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => onKey(event, model, root.current!, () => (isHelp.value = !isHelp.value));
    // All of a page; of a notebook only the widget that has the focus, which is a root by itself.
    const place = root.current!.getRootNode() as Document | ShadowRoot;
    place.addEventListener("keydown", listen as EventListener);
    return () => place.removeEventListener("keydown", listen as EventListener);
  }, [model]);
  useEffect(() => {
    store.hover.value = { query: null, key: null }; // what the pointer was on is not there any more
  }, [view, state.unit, state.text]);

  /** Within the tabs, arrows go from one to the next. */
  function turn(event: KeyboardEvent & { currentTarget: HTMLElement }) {
    const tabs = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]")];
    const at = views.indexOf(view);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + views.length, Home: 0, End: views.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // outside of the tabs arrows move the selection
    tabs[to % views.length].focus();
    store.set({ view: views[to % views.length] });
  }

  return (
    <div ref={root} class="clearhead" data-theme={model.ground.value}>
      <header>
        <h1>
          <bdi>{source.info.title}</bdi>
        </h1>
        <button type="button" class="plain" onClick={() => (isHelp.value = true)} aria-haspopup="dialog">
          Keys, and what weights do not show
        </button>
      </header>
      <Overview model={model} />
      <main>
        <Words model={model} />
        <div class="bar-of-views">
          <div class="tabs" role="tablist" aria-label="Views" onKeyDown={turn}>
            {views.map((name) => (
              <button type="button" role="tab" aria-selected={name === view} aria-controls={panel} tabIndex={name === view ? 0 : -1} onClick={() => store.set({ view: name })}>
                {LABELS[name]}
              </button>
            ))}
          </div>
          <span class="chosen">{model.caption.value}</span>
          <Find model={model} />
        </div>
        <section id={panel} role="tabpanel" aria-label={LABELS[view]} class="view">
          {view === "matrix" && <Matrix model={model} />}
          {view === "arcs" && <Arcs model={model} />}
          {view === "products" && <Products model={model} />}
          {view === "image" && <Image model={model} />}
        </section>
      </main>
      <Inspector model={model} />
      <footer aria-label="How it is shown">
        <Choice label="by" value={state.unit} options={{ words: "words", pieces: "pieces" }} onChange={(unit) => model.change(unit)} />
        <Choice label="scale" value={state.log ? "log" : "linear"} options={{ linear: "linear", log: "log" }} onChange={(scale) => store.set({ log: scale === "log" })} />
        <Choice label="hide" value={state.hide} options={Object.fromEntries(HIDES.map((hide) => [hide, HIDE_LABELS[hide]])) as Record<State["hide"], string>} onChange={(hide) => store.set({ hide })} />
        <Choice label="zoomed out" value={state.pool} options={{ mean: "mean", max: "maximum" }} onChange={(pool) => store.set({ pool })} />
        {model.steps > 1 && (
          <label class="field">
            {model.stepName}
            <input type="range" min={0} max={model.steps - 1} value={model.step.value} onInput={(event) => model.go(Number(event.currentTarget.value))} />
          </label>
        )}
        {source.info.batch > 1 && (
          <Choice
            label="text"
            value={`${state.text}`}
            options={Object.fromEntries(Array.from({ length: source.info.batch }, (_, i) => [`${i}`, `${i + 1} of ${source.info.batch}`]))}
            onChange={(text) => store.set({ text: Number(text), query: null, key: null })}
          />
        )}
        <Choice label="theme" value={state.theme} options={Object.fromEntries(THEMES.map((theme) => [theme, theme])) as Record<State["theme"], string>} onChange={(theme) => store.set({ theme })} />
        <Export model={model} />
      </footer>
      {model.error.value && (
        <p role="alert" class="error">
          {model.error.value}
        </p>
      )}
      {isHelp.value && <Help onClose={() => (isHelp.value = false)} />}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: Record<T, string>;
  onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <label class="field">
      {label}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {(Object.entries(options) as [T, string][]).map(([name, text]) => (
          <option value={name}>{text}</option>
        ))}
      </select>
    </label>
  );
}
