// How commands reach the server's data: through the admin socket of a running server, else by opening the store.

import {
  type Administration,
  adminSocketOf,
  isAnswering,
  LocalAdministration,
  openConfiguredStore,
  RemoteAdministration,
} from "@offhook/server";
import { CliError } from "./cli-error.ts";
import { optionsFor } from "./commands/serve.ts";

/** Runs `work` with the data of the server of this configuration (default: as `serve` without options). */
export async function withAdministration<T>(
  options: { config?: string | undefined },
  work: (administration: Administration) => Promise<T>,
): Promise<T> {
  const loaded = optionsFor(options);
  const socket = adminSocketOf(loaded);
  if (await isAnswering(socket)) return work(new RemoteAdministration(socket));
  if (loaded.config.store.kind === "memory") {
    throw new CliError(`no server answers on ${socket}, and its store is in memory only`, 1);
  }
  const store = await openConfiguredStore(loaded);
  try {
    return await work(
      new LocalAdministration({ store, domain: loaded.config.domains[0]?.toLowerCase() ?? "localhost" }),
    );
  } finally {
    await store.close();
  }
}
