// Node: sockets, DNS, clock, hash and random for the library's ports.
export { audio, type NodeAudioOptions } from "./audio.ts";
export type {
  CertificatePair,
  DomainCertificate,
  TlsClientOptions,
  TlsListenOptions,
  TlsServerOptions,
} from "./certificate-files.ts";
export { sipIdentities, speaksFor } from "./certificate-identity.ts";
export { nodeClock } from "./clock.ts";
export {
  type DnsCacheOptions,
  type DnsOptions,
  type DnsResolver,
  dnsResolver,
} from "./dns.ts";
export { NodeDriver, type NodeDriverOptions } from "./driver.ts";
export { nodeHash } from "./hash.ts";
export type { ListenOptions } from "./host.ts";
export { type CertificateRequest, makeCertificate } from "./make-certificate.ts";
export { MessageConnection, MessageListener, type MessageSocket } from "./messages.ts";
export { nodeRandom } from "./random.ts";
export { openRtpSocket, type RtpSocketOptions } from "./rtp-socket.ts";
export { ServerCertificates } from "./tls.ts";
export {
  nodeRuntime,
  type TlsTransportOptions,
  type TransportOptions,
  tcp,
  tls,
  type UdpTransportOptions,
  udp,
} from "./transports.ts";
export {
  tcpWire,
  tcpWireServer,
  tlsWire,
  udpWire,
  type Wire,
  type WireMessage,
  type WireServer,
} from "./wire.ts";
