// What stops a command, told to the person in one line.

/** `exitCode` 2: the command line or a file is wrong; 1: it was tried and failed. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}
