// How plays begin, one word each: who is on the stage, who is registered, whose call has reached whom. What a code's story
// is about stays in its scenario.

import type { Call } from "@offhook/sip/user-agent";
import { Peer, type PeerOptions } from "./peer.ts";
import { Phone, type PhoneOptions } from "./phone.ts";

/** As many parts as there are names. */
type Each<Names extends readonly string[], Part> = { -readonly [Index in keyof Names]: Part };

export abstract class Openings {
  abstract phone(name: string, options?: PhoneOptions): Promise<Phone>;
  abstract peer(name: string, options?: PeerOptions): Promise<Peer>;
  abstract later<T>(promise: Promise<T>): Promise<T>;
  abstract value<T>(name: string, promise: Promise<T>): Promise<T>;

  /** A phone that has registered with the server. */
  async registered(name: string, options?: PhoneOptions): Promise<Phone> {
    const phone = await this.phone(name, options);
    await phone.register();
    return phone;
  }

  /** Phones of one user of `home.example`, all registered: `const [desk, mobile] = await stage.devices("bob", "desk", "mobile")`. */
  devices<const Names extends readonly string[]>(user: string, ...names: Names): Promise<Each<Names, Phone>> {
    return each(names, (name) => this.registered(name, { aor: `sip:${user}@home.example` }));
  }

  /** Foreign peers. */
  peers<const Names extends readonly string[]>(...names: Names): Promise<Each<Names, Peer>> {
    return each(names, (name) => this.peer(name));
  }

  /** A foreign peer that has registered as a phone of a user of `home.example`; default the user of its own name. */
  async registeredPeer(name: string, user: string = name): Promise<Peer> {
    const peer = await this.peer(name);
    await peer.register(`sip:${user}@home.example`);
    return peer;
  }

  /** As `devices`, by hand. */
  devicePeers<const Names extends readonly string[]>(
    user: string,
    ...names: Names
  ): Promise<Each<Names, Peer>> {
    return each(names, (name) => this.registeredPeer(name, user));
  }

  /** A phone, with these options, and a foreign peer whose requests go to it; no server between. */
  async phoneAndPeer(phoneName: string, peerName: string, options?: PhoneOptions): Promise<[Phone, Peer]> {
    const phone = await this.phone(phoneName, options);
    return [phone, await this.peer(peerName, { to: phone })];
  }

  /** A call with an offer that has reached the callee, as the phones in it see it: not answered, not ringing yet. */
  calls(caller: Phone, callee: Phone): Promise<[Call, Call]>;
  calls(caller: Peer, callee: Phone): Promise<[Call]>;
  calls(caller: Phone, callee: Peer): Promise<[Call]>;
  calls(caller: Peer, callee: Peer): Promise<[]>;
  calls(caller: Phone | Peer, callee: Phone | Peer): Promise<Call[]>;
  async calls(caller: Phone | Peer, callee: Phone | Peer): Promise<Call[]> {
    const calls: Call[] = [];
    if (caller instanceof Phone) {
      const call = caller.call(callee.aor);
      // Most plays are about how it fails.
      call.answered.catch(() => {});
      calls.push(call);
    } else caller.request(`INVITE ${callee.aor}`, ...contentOf(caller.name));
    const title = `${callee.name} is called`;
    if (callee instanceof Phone) calls.push(await callee.rings(title));
    else await callee.expect(title, "INVITE {*}");
    return calls;
  }

  /** The same, and the callee's phone has begun to ring. */
  ringing(caller: Phone, callee: Phone): Promise<[Call, Call]>;
  ringing(caller: Peer, callee: Phone): Promise<[Call]>;
  async ringing(caller: Phone | Peer, callee: Phone): Promise<Call[]> {
    const calls = await this.calls(caller, callee);
    await this.value(`${callee.name}'s phone rings`, calls.at(-1)!.ring());
    return calls;
  }

  /** A call that is answered and acknowledged. Peers need no `to` for that. */
  talk(caller: Phone, callee: Phone): Promise<[Call, Call]>;
  talk(caller: Peer, callee: Phone): Promise<[Call]>;
  talk(caller: Phone, callee: Peer): Promise<[Call]>;
  async talk(caller: Phone | Peer, callee: Phone | Peer): Promise<Call[]> {
    const calls = await this.calls(caller, callee);
    if (callee instanceof Peer) {
      callee.reply("200 OK", ...contentOf(callee.name));
      await callee.expect(`${caller.name} hears the answer`, "ACK {*}");
      return calls;
    }
    const answering = callee.answer(calls.at(-1)!);
    if (caller instanceof Peer) {
      await caller.expect(`${callee.name} answers`, "SIP/2.0 200 OK\nCSeq: {*} INVITE");
      caller.ack();
    }
    await this.value(`${callee.name} answers`, answering);
    if (caller instanceof Phone) await this.value(`${caller.name} hears the answer`, calls[0]!.answered);
    return calls;
  }
}

/** One after the other: the stage gives addresses in this order. */
async function each<const Names extends readonly string[], Part>(
  names: Names,
  make: (name: string) => Promise<Part>,
): Promise<Each<Names, Part>> {
  const parts: Part[] = [];
  for (const name of names) parts.push(await make(name));
  return parts as Each<Names, Part>;
}

/** A session description with one audio stream. */
export function sdpOf(owner: string, ...more: readonly string[]): string {
  return [
    ...["v=0", `o=${owner} 1 1 IN IP4 192.0.2.9`, "s=-", "c=IN IP4 192.0.2.9", "t=0 0"],
    ...["m=audio 40000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv", ...more, ""],
  ].join("\r\n");
}

/** The same as the end of a peer's request or reply: `bob.reply("200 OK", ...contentOf("bob"))`. */
export function contentOf(owner: string, ...more: readonly string[]): string[] {
  return ["Content-Type: application/sdp", "", sdpOf(owner, ...more)];
}
