import { RateLimiterCluster, RateLimiterClusterMaster, RateLimiterRes } from 'rate-limiter-flexible';
import type { RequestQuota } from '../config/request-quotas.js';
import type { RequestCounter } from '../operations/quota-lease.js';

/** In the supervisor: counts what its workers ask it to. */
export function countForWorkers(): void {
  new RateLimiterClusterMaster();
}

/** In a worker: a counter that the supervisor keeps. @param index tells the quotas apart, in all workers alike */
export function counterOfSupervisor({ requests, seconds }: RequestQuota, index: number): RequestCounter {
  const limiter = new RateLimiterCluster({ keyPrefix: `quota-${index}`, points: requests, duration: seconds });
  return {
    async count(subject, asked) {
      if (!process.connected) throw new Error('the supervisor, which counts requests, is gone');
      const { consumedPoints, msBeforeNext } = await limiter.consume(subject, asked).catch((refused: unknown) => {
        if (refused instanceof RateLimiterRes) return refused;
        throw refused;
      });
      // it counts by the clock of the day, which can be set back
      return { counted: consumedPoints, remainingMilliseconds: Math.min(msBeforeNext, seconds * 1000) };
    },
  };
}
