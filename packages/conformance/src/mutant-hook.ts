// Preloaded into the process of one mutant: changes the text of one source file while it is loaded.

import { registerHooks } from "node:module";

/** What the environment variable OFFHOOK_MUTANT holds, as JSON. */
export interface AppliedMutant {
  readonly url: string;
  readonly find: string;
  readonly replace: string;
}

const mutant = JSON.parse(process.env["OFFHOOK_MUTANT"] ?? "{}") as Partial<AppliedMutant>;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const { find, replace } = mutant;
    if (url !== mutant.url || find === undefined || replace === undefined) return loaded;
    const { source } = loaded;
    const text = typeof source === "string" ? source : new TextDecoder().decode(source as Uint8Array);
    (globalThis as { offhookMutant?: boolean }).offhookMutant = text.includes(find);
    return { ...loaded, source: text.replace(find, () => replace) };
  },
});
