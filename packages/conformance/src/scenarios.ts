// The scenarios there are, one file each, and the codes that have none yet.

import { readdirSync } from "node:fs";
import { catalogue } from "@offhook/sip/responses";
import type { Scenario } from "./scenario.ts";

const folder = new URL("../scenarios/", import.meta.url);

/** A code of the catalogue and its scenario, if it has one. */
export interface Entry {
  readonly code: number;
  readonly phrase: string;
  /** The file's name without its ending: "486-busy-here". */
  readonly file: string | undefined;
  load(): Promise<Scenario | undefined>;
}

/** All 77 codes in ascending order. */
export function entries(): readonly Entry[] {
  const files = new Map(
    readdirSync(folder)
      .filter((file) => /^\d{3}-[a-z0-9-]+\.(ts|js)$/.test(file))
      .map((file) => [Number(file.slice(0, 3)), file]),
  );
  return catalogue.map(({ code, phrase }) => {
    const file = files.get(code);
    return {
      ...{ code, phrase, file: file?.replace(/\.(ts|js)$/, "") },
      load: async () => {
        if (file === undefined) return undefined;
        const loaded = (await import(new URL(file, folder).href)) as { default: Scenario };
        return loaded.default;
      },
    };
  });
}
