// docs/configuration.md is what the schema prints. `OFFHOOK_UPDATE=1 npm test -- packages/server` writes it anew.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { printConfigDocument } from "./config-document.ts";
import { configSchema } from "./config-schema.ts";

test("docs/configuration.md is fresh", () => {
  const file = new URL("../../../docs/configuration.md", import.meta.url);
  if (process.env["OFFHOOK_UPDATE"] === "1") writeFileSync(file, printConfigDocument());
  assert.equal(readFileSync(file, "utf8"), printConfigDocument());
});

test("no setting names the status to send: codes come from conditions", () => {
  const found: string[] = [];
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    const {
      minimum = 0,
      maximum = Number.POSITIVE_INFINITY,
      enum: values,
      const: value,
    } = schema as {
      minimum?: number;
      maximum?: number;
      enum?: unknown[];
      const?: unknown;
    };
    const isStatus = (one: unknown) => /^[1-6]\d\d$/.test(String(one));
    if ((minimum >= 100 && maximum <= 699) || [...(values ?? []), value].some(isStatus)) found.push(path);
    for (const [key, inner] of Object.entries(schema)) walk(inner, `${path}.${key}`);
  };
  walk(z.toJSONSchema(configSchema, { io: "input" }), "");
  assert.deepEqual(found, []);
});
