// The socket of a user agent in a browser: what its `transports` option takes.

import type { Hash } from "../ports.ts";
import type { Runtime, Transport } from "../user-agent/index.ts";
import { webClock } from "./clock.ts";
import { serverOf, WebDriver, type WebDriverOptions } from "./driver.ts";
import { noHash } from "./hash.ts";
import { webRandom } from "./random.ts";

/** Where the server is, and what browsers do not bring. */
export interface WebSocketTransportOptions extends Pick<WebDriverOptions, "url" | "WebSocket"> {
  /** For passwords, see `webHash`. Default: challenges cannot be answered. */
  readonly hash?: Hash;
}

/**
 * SIP over WebSocket (RFC 7118), in browsers and wherever there is a `WebSocket`. Everything goes over this one
 * connection; it is opened when it is needed, and again by registrations when it was lost.
 *
 *     const alice = new UserAgent({
 *       aor: "sip:alice@example.com",
 *       transports: [ws({ url: "wss://sip.example.com", hash: webHash({ md5 }) })],
 *       media: webRtc(),
 *     });
 *
 * @throws {ArgumentError} if the URL is none of ws: or wss:
 */
export function ws(options: WebSocketTransportOptions): Transport {
  const { hash = noHash, ...own } = options;
  const runtime: Runtime = {
    clock: webClock,
    random: webRandom,
    hash,
    createDriver: () => new WebDriver(own),
  };
  return { runtime, transport: serverOf(own.url).transport, address: "0.0.0.0" };
}
