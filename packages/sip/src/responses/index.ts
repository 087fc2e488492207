// What the folder offers: facts on every response code.
export * from "./catalogue.ts";
