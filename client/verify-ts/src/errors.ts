/** One sentence a check: what is wrong when it fails. The codes name the sentinels of the Go verifier. */
export const CHECKS = {
  form: 'the receipt is malformed',
  digest: 'the receipt is damaged: its digest does not match its contents',
  canonical: 'the receipt is not in its canonical form',
  anchor: 'the trust anchor is not valid',
  chain: 'the receipt is of another chain',
  inclusion: 'the entry is not proven to be in the log',
  consistency: 'the larger log is not proven to extend the smaller one',
  state: 'the key is not proven to be in the state, or absent from it',
  root: 'the proof leads to another root',
  commitment: 'the payload is not what the entry commits to',
  event: 'the payload is not an event',
  act: "the payload is not an act of the entry's kind",
  type: "the entry's type is not the event's type",
  height: 'the signed block is too early to prove this entry',
  validator: 'a signature is not by a validator of the trusted set',
  signature: "a validator's signature does not verify",
  unsigned: 'the validators of the trusted set did not sign this',
  power: 'the signers do not hold more than two thirds of the voting power',
  step: 'the step does not lead from the trusted validator set',
  expired: 'the trusted validator set is older than the trusting period; get a later one from somebody you trust',
  incomplete: 'the stream is not proven to be complete',
  cosigners: "the ledger's log keys are not valid",
  uncosigned: 'validators with more than two thirds of the voting power did not cosign the checkpoint',
  logSignature: 'the checkpoint has no signature of the log',
  held: 'the held checkpoint does not cover this receipt',
  erasure: 'the receipts do not prove an erasure',
  early: 'the block is before the first height of the trust anchor',
} as const;

/** Which check failed. */
export type Check = keyof typeof CHECKS;

/** The only error this package throws for what it is given to read. */
export class VerifyError extends Error {
  readonly code: Check;

  constructor(code: Check, detail = '') {
    super(detail === '' ? CHECKS[code] : `${CHECKS[code]}: ${detail}`);
    this.name = 'VerifyError';
    this.code = code;
  }

  /** The sentence of the check, without the values at hand. */
  get check(): string {
    return CHECKS[this.code];
  }
}

export function fail(code: Check, detail = ''): never {
  throw new VerifyError(code, detail);
}
