import type { Recorder } from '../http/tracing.js';
import type { Durations } from '../metrics/families.js';
import type { Families, Metrics } from '../metrics/metrics.js';
import type { TokenIncident, TokenMeter, TokenState } from '../token/token-meter.js';

/** What the service's own token is called in metrics; that of a custom key store by its CloudHsmClusterId. */
export const ownTokenName = 'own';

const incidentMetrics = {
  loss: 'tokenLosses',
  recovery: 'tokenRecoveries',
  unavailable: 'tokenUnavailable',
  'login refusal': 'tokenLoginRefusals',
  'session refusal': 'sessionRefusals',
  timeout: 'tokenTimeouts',
} as const satisfies Record<TokenIncident, keyof Families>;

/**
 * Counts what a token does.
 *
 * @param token its name in metrics
 * @param record has its calls shown in traces
 */
export function tokenMeter({ families }: Metrics, token: string, record?: Recorder): TokenMeter {
  const facts = { 'hsm_kms.token': token };
  const durations = new Map<string, Durations>();
  // made now: a counter that appears with its first increment hides that from rate()
  for (const metric of Object.values(incidentMetrics)) families[metric].at(token);
  return {
    called(name, milliseconds, error) {
      let duration = durations.get(name);
      if (duration === undefined) {
        duration = families.tokenCallDuration.at(token, name);
        durations.set(name, duration);
      }
      duration.observe(milliseconds / 1000);
      record?.(name, milliseconds, facts, error);
      if (error !== undefined) families.tokenCallErrors.at(token, name, error).value += 1;
    },
    retried(error) {
      families.tokenRetries.at(token, error).value += 1;
    },
    waited(milliseconds) {
      families.sessionWait.at(token).observe(milliseconds / 1000);
    },
    count(incident) {
      families[incidentMetrics[incident]].at(token).value += 1;
    },
  };
}

/** Says how a token is. @param state undefined for one that could not be opened yet */
export function publishTokenState(families: Families, token: string, state: TokenState | undefined): void {
  families.tokenReachable.at(token).value = state?.isThere ? 1 : 0;
  if (state === undefined) return;
  families.tokenLostFor.at(token).value = state.lostMilliseconds / 1000;
  families.sessionLimit.at(token).value = state.sessionLimit;
  families.sessionsInUse.at(token).value = state.sessionsInUse;
  families.sessionWaiters.at(token).value = state.waiters;
  families.sessionCopies.at(token).value = state.copies;
  families.objectHandles.at(token).value = state.handles;
}
