/** The local server: the page asks where it came from. */

import { remote } from "../data/remote";
import { fill } from "./mount";

export function server(): Promise<void> {
  return fill(async () => ({ source: await remote(), start: "" }));
}
