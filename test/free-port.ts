// Ports for the servers and programs that a test starts: free when asked for, and nobody else's afterwards. A port that the
// system picks and a test closes again may be picked once more before the program binds it. These lie below the range that
// the system picks from, in blocks of which every test process holds its own.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 20_000;
const BLOCK = 120;
const BLOCKS = 100;

let block: Promise<number> | undefined;
let next = 2;

/**
 * A port that all of these addresses have free, for UDP and TCP alike, and the one after it, which phones take for TLS or
 * RTCP. None is given twice in a process.
 */
export async function freePort(...hosts: string[]): Promise<number> {
  for (;;) {
    if (block === undefined || next >= BLOCK) {
      block = claimBlock();
      next = 2;
    }
    const offset = next;
    next += 2;
    const port = (await block) + offset;
    const free = await Promise.all(hosts.flatMap((host) => [isFree(host, port), isFree(host, port + 1)]));
    if (free.every(Boolean)) return port;
  }
}

/** The first port of a block, bound for as long as this process lives: so other processes know. */
async function claimBlock(): Promise<number> {
  for (let i = 0; i < BLOCKS; i++) {
    const port = FIRST + ((process.pid + i) % BLOCKS) * BLOCK;
    const claim = createServer().unref();
    claim.listen(port, "127.0.0.1");
    try {
      await once(claim, "listening");
      return port;
    } catch {
      // another process has it
    }
  }
  throw new Error(`no block of ports is free from ${FIRST} on`);
}

async function isFree(address: string, port: number): Promise<boolean> {
  const ipv6Only = address.includes(":");
  const server = createServer();
  const socket = createSocket({ type: ipv6Only ? "udp6" : "udp4", ipv6Only });
  try {
    server.listen({ host: address, port, ipv6Only });
    await once(server, "listening");
    socket.bind(port, address);
    await once(socket, "listening");
    return true;
  } catch {
    return false;
  } finally {
    await Promise.all([
      new Promise<void>((resolve) => server.close(() => resolve())),
      new Promise<void>((resolve) => socket.close(() => resolve())),
    ]);
  }
}
