/** The single file: the capture lies in the page, in base64. */

import type { Beside } from "../data/capture";
import { local } from "../weights/local";
import { fill } from "./mount";

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const from = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (from) return from(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

export function page(): Promise<void> {
  return fill(async () => {
    const read = (id: string) => document.getElementById(id)?.textContent ?? "";
    const options = JSON.parse(read("options")) as Beside & { start: string };
    const source = await local(bytesOf(read("capture").trim()), options);
    document.getElementById("capture")?.remove(); // the worker has it now
    return { source, start: options.start };
  });
}
