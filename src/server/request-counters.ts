import type { Logger } from 'pino';
import { RateLimiterCluster, RateLimiterClusterMaster, RateLimiterRes } from 'rate-limiter-flexible';
import type { RequestQuota } from '../config/request-quotas.js';
import type { RequestCounter } from '../operations/quota-lease.js';

/** In the supervisor: counts what its workers ask it to. */
export function countForWorkers(): void {
  new RateLimiterClusterMaster();
}

/** In a worker: makes counters that the supervisor keeps. */
export function countersOfSupervisor(log: Logger): (quota: RequestQuota, index: number) => RequestCounter {
  return ({ requests, seconds }, index) => {
    const limiter = new RateLimiterCluster({ keyPrefix: `quota-${index}`, points: requests, duration: seconds });
    return {
      async count(subject, asked) {
        try {
          if (!process.connected) throw new Error('the supervisor is gone');
          const { consumedPoints, msBeforeNext } = await limiter.consume(subject, asked).catch(refusalAsAnswer);
          // it counts by the clock of the day, which can be set back
          return { counted: consumedPoints, remainingMilliseconds: Math.min(msBeforeNext, seconds * 1000) };
        } catch (error) {
          log.error({ err: error }, 'the supervisor does not count requests: those that have a quota are throttled');
          throw error;
        }
      },
    };
  };
}

/** How many were counted is known in either case. */
function refusalAsAnswer(refused: unknown): RateLimiterRes {
  if (refused instanceof RateLimiterRes) return refused;
  throw refused;
}
