/** Pictures and tables to keep: SVG, PNG and CSV of what is seen. */

const SVG = "http://www.w3.org/2000/svg";
/** What XML has no place for. */
const UNFIT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const KEPT = ["fill", "stroke", "stroke-width", "stroke-opacity", "font-family", "font-size", "font-weight", "text-anchor"];

/** A drawing by itself: what the style sheet says of it is written into it. */
export function standalone(svg: SVGSVGElement, paper: string, title: readonly (readonly [text: string, color: string])[]): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [from, to] = [svg, copy].map((root) => [...root.querySelectorAll<SVGElement>("*")]);
  from.forEach((element, n) => {
    const style = getComputedStyle(element);
    for (const name of KEPT) to[n].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role"]) to[n].removeAttribute(name);
  });
  const [x, y, width, height] = svg.viewBox.baseVal ? [svg.viewBox.baseVal.x, svg.viewBox.baseVal.y, svg.viewBox.baseVal.width, svg.viewBox.baseVal.height] : [0, 0, 640, 480];
  const room = 28; // of what it is, above it
  const heading = document.createElementNS(SVG, "text");
  for (const [name, value] of Object.entries({ x: x + 8, y: y - 10, "font-size": 13, "font-family": "sans-serif" })) heading.setAttribute(name, String(value));
  for (const [text, color] of title) {
    const part = document.createElementNS(SVG, "tspan");
    part.setAttribute("fill", color);
    part.textContent = `${text}  `;
    heading.append(part);
  }
  copy.prepend(heading);
  const ground = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x, y: y - room, width, height: height + room, fill: paper })) ground.setAttribute(name, String(value));
  copy.prepend(ground);
  copy.removeAttribute("style");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height + room));
  copy.setAttribute("viewBox", `${x} ${y - room} ${width} ${height + room}`);
  copy.setAttribute("xmlns", SVG);
  return new XMLSerializer().serializeToString(copy).replace(UNFIT, "�");
}

/** The colour behind an element. */
export function paperOf(element: Element): string {
  return getComputedStyle(element).getPropertyValue("--paper");
}

/** The colour of text on it. */
export function inkOf(element: Element): string {
  return getComputedStyle(element).getPropertyValue("--ink");
}

/** The same drawing in pixels, two for one of its units. */
export async function raster(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * 2;
    canvas.height = image.naturalHeight * 2;
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("the picture is too large to be drawn"))), "image/png"));
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/** Rows of a table as CSV (RFC 4180); cells that a spreadsheet would compute get a mark in front. */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number) => {
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** Text as it has to be written within markup. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`).replace(UNFIT, "�");
}

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
