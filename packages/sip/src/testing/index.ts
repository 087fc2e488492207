// For tests of this library and of what is built on it: virtual time, a virtual network, wire peers.
export { settle, VirtualClock } from "./clock.ts";
export {
  type ConnectionEnd,
  Network,
  type NetworkOptions,
  type Sighting,
  type Station,
  type StreamReceiver,
  type Weather,
} from "./network.ts";
export { SeededRandom } from "./random.ts";
export { type SuiteCase, type SuiteSide, type SuiteWorld, transportSuite } from "./transport-suite.ts";
export { VirtualDriver, type VirtualListenOptions } from "./virtual-driver.ts";
export { virtualStreamServer, virtualStreamWire, virtualUdpWire } from "./virtual-wire.ts";
export {
  type Captures,
  composeText,
  matchText,
  readText,
  replyText,
  WireMismatch,
  WirePeer,
  type WirePeerOptions,
  type WireText,
} from "./wire-peer.ts";
