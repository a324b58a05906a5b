/** The keys, and the caveat on reading weights, with sources. */

import { useEffect, useRef } from "preact/hooks";
import { KEYS } from "./keys";

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} aria-label="Keys, and what weights do not show" onClose={onClose}>
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([keys, does]) => (
          <div>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <h2>What weights do not show</h2>
      <p>
        A weight says how much of a token's value a head mixes in, not what the value does afterwards: the same output can come out of other weights (Jain &amp; Wallace 2019, arXiv:1902.10186), which are still a
        useful trace where they are tested against alternatives (Wiegreffe &amp; Pinter 2019, arXiv:1908.04626). A token that gets much weight may be a resting place with a value of almost no length (Clark et al.
        2019, arXiv:1906.04341; Kobayashi et al. 2020, arXiv:2004.10102).
      </p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
