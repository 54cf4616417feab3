import type pkcs11 from 'pkcs11js';
import type { SessionPoolLimits } from './session-pool.js';
import { toldLimit } from './token-facts.js';

/** Sessions of a worker besides those of its pool: one holds the login, and synchronous calls share another. */
const otherSessions = 2;

/** All sessions of a worker. @param pool those of its pool */
export function sessionsOf(pool: number): number {
  return pool + otherSessions;
}

/** Read-write sessions that the token gives to one process; undefined when it sets no limit, or tells none. */
export function mostSessions({ maxRwSessionCount, maxSessionCount }: pkcs11.TokenInfo): number | undefined {
  const told = [maxRwSessionCount, maxSessionCount].map(toldLimit).filter((count) => count !== undefined);
  return told.length === 0 ? undefined : Math.min(...told);
}

/**
 * A pool that leaves room for the other sessions.
 *
 * @param most sessions of this process, undefined for no limit
 * @param computesHere whether the token is a program of this machine
 */
export function withinLimits(
  limits: SessionPoolLimits,
  most: number | undefined,
  computesHere = false,
): SessionPoolLimits {
  const room = most === undefined ? Number.POSITIVE_INFINITY : most - otherSessions;
  const useful = (computesHere && limits.computing) || Number.POSITIVE_INFINITY;
  return { ...limits, sessions: Math.max(1, Math.min(limits.sessions, room, useful)) };
}
