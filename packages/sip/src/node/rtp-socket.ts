// UDP sockets for RTP on even ports. RFC 3550 §11.
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns";
import { isIP } from "node:net";
import type { DatagramSocket } from "../media/index.ts";

export interface RtpSocketOptions {
  /** Local address to bind; its family decides between IPv4 and IPv6. */
  readonly address: string;
  /** First and last port to try, e.g. what a firewall lets through; any free port if absent. */
  readonly ports?: { readonly first: number; readonly last: number };
}

// How often to ask the system for another port if the one it gave is odd or its range is busy.
const attempts = 32;

/**
 * Binds a socket on a free even port.
 * @throws the system's error (EADDRINUSE, EADDRNOTAVAIL, …) if no port of the range is free or the address is not ours
 */
export async function openRtpSocket(options: RtpSocketOptions): Promise<DatagramSocket> {
  const { address, ports } = options;
  if (ports === undefined) {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const socket = await bind(address, 0);
      // §11: RTP has the even port, so that RTCP would have the next one.
      if (socket.address().port % 2 === 0) return wrap(socket);
      socket.close();
    }
    return wrap(await bind(address, 0));
  }
  // A random start keeps calls apart that begin at the same time, and a port from being reused at once.
  const even = ports.first + (ports.first % 2);
  const count = Math.max(1, Math.floor((ports.last - even) / 2) + 1);
  const start = Math.floor(Math.random() * count);
  let failure: unknown;
  for (let step = 0; step < count; step += 1) {
    try {
      return wrap(await bind(address, even + 2 * ((start + step) % count)));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
      failure = error;
    }
  }
  throw failure;
}

function bind(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const family = isIP(address) === 6 ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? "udp6" : "udp4",
      // Literal addresses, that is nearly all, need no thread of the resolver.
      lookup: (host, lookupOptions, callback) => {
        if (isIP(host) !== 0) callback(null, host, family);
        else lookup(host, { ...lookupOptions, all: false }, callback);
      },
    });
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

function wrap(socket: Socket): DatagramSocket {
  const { address, port } = socket.address();
  let isOpen = true;
  const wrapped: DatagramSocket = {
    local: { address, port },
    send(bytes, toAddress, toPort) {
      // Unreachable, no route, buffer full: a lost packet, as it may happen anywhere on the way.
      if (isOpen) socket.send(bytes, toPort, toAddress, () => {});
    },
    onMessage: undefined,
    close() {
      if (!isOpen) return;
      isOpen = false;
      socket.close();
    },
  };
  socket.on("error", () => {});
  socket.on("message", (bytes, from) => wrapped.onMessage?.(bytes, from.address, from.port));
  return wrapped;
}
