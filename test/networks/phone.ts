import type { SipMessage } from "@offhook/sip/message";
import { makeCertificate, tcp, tls, udp } from "@offhook/sip/node";
import { UserAgent } from "@offhook/sip/user-agent";
import { until } from "../interop/peers/program.ts";

export type Protocol = "udp" | "tcp" | "tls";
/** Where a phone sits and which socket of the server it uses. */
export interface Place {
  readonly protocol: Protocol;
  /** Its own address. */
  readonly own: string;
  /** The server's, brackets included, with port. */
  readonly server: string;
}

export const sdp =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
export const authority = makeCertificate({ names: [], commonName: "Test Root", isAuthority: true });
export const secure = makeCertificate({ names: ["127.0.0.1", "::1"], issuer: authority });

/** A phone and what it has received, with the address and port that each message came from. */
export class Phone {
  readonly agent: UserAgent;
  readonly received: { message: SipMessage; from: string }[] = [];

  constructor(
    user: string,
    { protocol, own, server }: Place,
    { port, contact }: { port?: number; contact?: string } = {},
  ) {
    const options = { address: own, ...(port === undefined ? {} : { port }) };
    const transport =
      protocol === "udp"
        ? udp(options)
        : protocol === "tcp"
          ? tcp(options)
          : tls({ ...options, ca: authority.certificate, certificate: secure.certificate, key: secure.key });
    this.agent = new UserAgent({
      aor: `sip:${user}@offhook.test`,
      transports: [transport],
      ...(contact === undefined ? {} : { contact }),
      outboundProxy: `sip:${server}${protocol === "udp" ? "" : `;transport=${protocol}`};lr`,
      observer: {
        received: (message, flow) => {
          const { address, port: remotePort } = flow.remote;
          this.received.push({ message: message.detach(), from: printed(address, remotePort) });
        },
      },
    });
    open.push(this);
  }

  /** Requests of a method that have come. */
  requests(method: string) {
    return this.received.filter(({ message }) => message.kind === "request" && message.method === method);
  }

  /** Answers calls; each answered call. */
  answers(): { next(): Promise<Awaited<ReturnType<UserAgent["invite"]>>> } {
    const waiting: Awaited<ReturnType<UserAgent["invite"]>>[] = [];
    this.agent.onInvite(async (call) => {
      await call.answer(sdp);
      waiting.push(call);
    });
    return { next: () => until("the answered call", () => waiting.shift()) };
  }
}

export const open: Phone[] = [];
export const printed = (address: string, port: number) =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** Calls, and both sides hang up once: requests inside the call go both ways. */
export async function callBothWays(caller: Phone, callee: Phone, user: string): Promise<void> {
  const answered = callee.answers();
  for (const hangsUp of ["caller", "callee"] as const) {
    const outgoing = await caller.agent.invite(`sip:${user}@offhook.test`, { sdp });
    const incoming = await answered.next();
    const [ending, other] = hangsUp === "caller" ? [outgoing, incoming] : [incoming, outgoing];
    await ending.hangUp();
    await other.ended;
  }
}
