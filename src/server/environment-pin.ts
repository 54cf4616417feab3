import type { ChildProcess } from 'node:child_process';
import type { Worker } from 'node:cluster';
import { pinVariable } from '../config/pin-variable.js';

/*
 * A PIN that came by the environment is taken out of it at once, so that no process started from here has it in its own
 * environment, which others of the same user can read (/proc/PID/environ) for as long as it lives. Workers, and the
 * first initialisation, get it by the channel to their parent. What the first process was started with stays readable:
 * nobody can take that back.
 */

/** Tells a child that its parent has a PIN for it. */
const announcement = 'HSM_KMS_PIN_AT_PARENT';

type PinMessage = { readonly kind: 'PIN wanted' } | { readonly kind: 'PIN'; readonly pin: string };

let held: string | undefined;

/** The PIN that this process was given by its environment. */
export function environmentPin(): string | undefined {
  return held;
}

/** Takes the PIN out of the environment, or from the parent where it has announced one. To be called first of all. */
export async function takePin(environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  held = environment[pinVariable] || undefined;
  delete environment[pinVariable];
  if (environment[announcement] === undefined) return;
  delete environment[announcement];
  held = await new Promise<string>((resolve) => {
    const take = (message: PinMessage) => {
      if (message.kind !== 'PIN') return;
      process.removeListener('message', take);
      resolve(message.pin);
    };
    process.on('message', take);
    process.send?.({ kind: 'PIN wanted' } satisfies PinMessage);
  });
}

/** What a child's environment says more, so that it asks for the PIN. */
export function pinAnnouncement(): Readonly<Record<string, string>> {
  return held === undefined ? {} : { [announcement]: 'yes' };
}

/** Gives a child the PIN that was announced to it when it asks: what is sent before a worker listens is lost. */
export function givePin(child: ChildProcess | Worker): void {
  const pin = held;
  if (pin === undefined) return;
  const give = (message: PinMessage) => {
    if (message.kind === 'PIN wanted') child.send({ kind: 'PIN', pin } satisfies PinMessage);
  };
  (child as ChildProcess).on('message', give);
}
