// Names to addresses by the system's own resolver (hosts file, then DNS): the A and AAAA part of RFC 3263 §4.2.

import { lookup } from "node:dns/promises";
import { TransportError } from "../errors.ts";
import type { Resolver } from "../transport/index.ts";
import { targetsFor } from "../transport/index.ts";

/** Answers with the addresses of the name, at the URI's port and transport or their defaults. */
export const addressResolver: Resolver = {
  async resolve(query) {
    try {
      const found = await lookup(query.host, { all: true });
      return targetsFor(
        query,
        found.map(({ address }) => address),
      );
    } catch (error) {
      throw new TransportError(`no address for ${query.host}`, { cause: error });
    }
  },
};
