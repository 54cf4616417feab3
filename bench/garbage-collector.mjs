/*
 * Preloaded into a service whose memory is looked at: SIGUSR2 has a process collect all its garbage, and give back what
 * it keeps for the next.
 */
import { Session } from 'node:inspector';

const session = new Session();
session.connect();
process.on('SIGUSR2', () => session.post('HeapProfiler.collectGarbage'));
