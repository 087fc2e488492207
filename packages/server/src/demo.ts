// The demo: what the server is without a configuration file. Two users, made at the first start.

import { randomInt } from "node:crypto";
import type { Store } from "./store/index.ts";

/** Without those that look alike. */
const letters = "abcdefghjkmnpqrstuvwxyz23456789";

/** Makes the two accounts if there is none at all; their passwords are known only now. */
export async function makeDemoUsers(
  store: Store,
  domain: string,
): Promise<{ user: string; password: string }[]> {
  if (store.accounts.count > 0) return [];
  const users = ["alice", "bob"].map((user) => ({ user, password: makePassword() }));
  for (const { user, password } of users) await store.accounts.add({ user, password, domain });
  return users;
}

/** 60 bits in three groups, easy to type on a phone. */
export function makePassword(): string {
  const group = () => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join("");
  return [group(), group(), group()].join("-");
}
