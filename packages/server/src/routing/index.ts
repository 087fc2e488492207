// Routing: the relay rules and the account directory with its route program.
export { AccountDirectory, type AccountLookup, type DirectoryOptions } from "./account-directory.ts";
export { makeAdmission, type OurDomains, PeerList, type RelayRules } from "./relay.ts";
