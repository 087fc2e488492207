// Browsers: SIP over their WebSocket, audio by their WebRTC, and their clock and chance for the library's ports.
export { webClock } from "./clock.ts";
export type * from "./dom.ts";
export { WebDriver, type WebDriverOptions, type WebSocketConstructor, type WebSocketLike } from "./driver.ts";
export { type HashFunction, type HashFunctions, webHash } from "./hash.ts";
export { webRandom } from "./random.ts";
export { type WebSocketTransportOptions, ws } from "./transports.ts";
export { type WebRtcOptions, WebRtcSession, webRtc } from "./webrtc.ts";
