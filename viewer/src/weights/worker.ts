/** Answers in a worker; the first message says that it runs. */

import { type Answer, answering, type Request } from "./answers";

const receive = answering((answer: Answer) => self.postMessage(answer));
self.onmessage = ({ data }: MessageEvent<Request>) => receive(data);
self.postMessage(null);
