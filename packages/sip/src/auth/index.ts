// Digest authentication, RFC 3261 §22, RFC 7616, RFC 8760.

export {
  type ChallengeRole,
  Challenger,
  type ChallengerOptions,
  type Ha1Lookup,
  type Verification,
} from "./challenger.ts";
export {
  AuthAttempt,
  AuthSession,
  type ChallengeOutcome,
  type Credential,
  Credentials,
  type CredentialsOptions,
  type DigestRequest,
} from "./credentials.ts";
export {
  computeHa1,
  type DigestAlgorithm,
  type DigestInput,
  digestAlgorithms,
  digestResponse,
  equalInConstantTime,
  hashOf,
  parseAlgorithm,
  type QualityOfProtection,
} from "./digest.ts";
export { type NonceOptions, Nonces, type NonceVerdict } from "./nonce.ts";
