// @offhook/conformance: one scenario per response code, the stage that they are played on, and the runner.

export { CheckFailed, Checks } from "./check.ts";
export { canMutate, mutate, type Verdict } from "./mutate.ts";
export { contentOf, sdpOf } from "./openings.ts";
export { type Arrived, type Part, Peer, type PeerOptions } from "./peer.ts";
export { Phone, type PhoneOptions } from "./phone.ts";
export { fieldOf, type Recorded, Recording, type TourLadder, type TourMessage } from "./recording.ts";
export { type Failure, type Performance, type PlayOptions, playAct, playScenario } from "./runner.ts";
export {
  act,
  actsOf,
  type Mutant,
  type PlannedAct,
  type Scenario,
  scenario,
  triedAgain,
} from "./scenario.ts";
export { type Entry, entries } from "./scenarios.ts";
export { badWeather, passwordOf, type ServerPart, Stage, type Where } from "./stage.ts";
export { silence } from "./stage-names.ts";
