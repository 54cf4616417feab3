import { runWorker } from './worker-process.js';

await runWorker();
