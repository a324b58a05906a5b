/** One script for every host: a page says what it is by its data-host, and a notebook calls what is exported. */

import "../style.css";
import { page } from "./page";
import { server } from "./server";
import { render } from "./widget";

const hosts: Record<string, () => Promise<void>> = { page, server };

void hosts[document.documentElement.dataset.host ?? ""]?.();

export default { render };
