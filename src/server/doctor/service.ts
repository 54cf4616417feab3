import { askReadiness } from '../readiness.js';
import { type Check, error, ok, warning } from './finding.js';

export const service: Check = {
  name: 'service',
  async examine(patient) {
    const { settings, options, directory } = patient;
    if (patient.isAtRest) {
      const what = `No service runs over ${directory.path}.`;
      return [options.stopped ? ok(what) : warning(what, 'hsm-kms serve, or systemctl start hsm-kms')];
    }
    if (settings.port === 0) return [ok('A service runs, on a port that no setting names: it was not asked.')];
    try {
      return [ok(`A service runs: ${await askReadiness(settings)}`)];
    } catch (thrown) {
      return [
        error(
          `A service or an init is at work, and is not ready: ${(thrown as Error).message}.`,
          'look at what the service has logged (journalctl --unit=hsm-kms); if it was started with --port or --host, give them to doctor, too',
        ),
      ];
    }
  },
};
