/*
 * A process of its own that keeps the service busy: raw connections, each with one request under way, requests that
 * were signed before. It reads the service's CPU time at both ends of the measurement itself, so that no message between
 * processes stands between the clock and the count.
 */
import { connect } from 'node:net';
import { cpuMicroseconds } from './process-cpu.mjs';

/**
 * @typedef {object} LoadOrder
 * @property {string} host
 * @property {number} port
 * @property {Uint8Array[]} requests whole HTTP requests, sent in turn
 * @property {number} clients
 * @property {number} [lookMilliseconds] how often clients look for answers; unless it is given, each answer wakes them
 * @property {number} warmUpSeconds 0 measures from the first request on
 * @property {number} seconds the measurement's length, where it is not a number of answers
 * @property {number} [answers] how many answers are measured; no more requests are sent than that
 * @property {number} [samples] how many answers are kept
 * @property {number[]} pids of the service
 */

/**
 * @typedef {object} LoadReport
 * @property {number} answers in the measurement
 * @property {number} seconds its length
 * @property {number[]} cpu of each process of the service, in microseconds
 * @property {number} ownCpu of this process, in microseconds
 * @property {number} p50 of the latency, in milliseconds
 * @property {number} p99
 * @property {number} mean
 * @property {number} most
 * @property {{ index: number, body: string }[]} samples the first answers, with the index of their request
 */

const usualSamples = 4;
const endOfHead = Buffer.from('\r\n\r\n');
/** Nobody ever notifies who waits for it. */
const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * @param {LoadOrder} order
 * @returns {Promise<LoadReport>}
 */
function generate(order) {
  const {
    host,
    port,
    requests,
    clients,
    lookMilliseconds,
    warmUpSeconds,
    seconds,
    answers,
    samples: kept,
    pids,
  } = order;
  return new Promise((resolve, reject) => {
    const samplesKept = kept ?? usualSamples;
    /** @type {number[]} */
    const latencies = [];
    /** @type {LoadReport['samples']} */
    const samples = [];
    /** @type {import('node:net').Socket[]} */
    const sockets = [];
    let next = 0;
    let over = false;
    /** @type {(() => LoadReport) | undefined} ends the measurement that is under way */
    let report;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const lookAlways = lookMilliseconds === undefined ? () => {} : lookOnlyEvery(lookMilliseconds);

    const end = () => {
      over = true;
      lookAlways();
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
    };
    const fail = (/** @type {Error} */ error) => {
      if (over) return;
      end();
      reject(error);
    };
    const finish = () => {
      if (over || report === undefined) return;
      const result = report();
      end();
      resolve(result);
    };

    const client = () => {
      const socket = connect({ host, port, noDelay: true });
      sockets.push(socket);
      let index = 0;
      let sentAt = 0;
      /** @type {Buffer | undefined} */
      let received;
      const send = () => {
        if (report !== undefined && answers !== undefined && next >= answers) return;
        index = next++ % requests.length;
        sentAt = performance.now();
        socket.write(/** @type {Uint8Array} */ (requests[index]));
      };
      socket.on('connect', send);
      socket.on('error', fail);
      socket.on('close', () => fail(new Error('the service closed a connection')));
      socket.on('data', (chunk) => {
        received = received === undefined ? chunk : Buffer.concat([received, chunk]);
        const answer = wholeAnswer(received);
        if (answer === undefined) return;
        received = undefined;
        if (answer.status !== 200) return fail(new Error(`the service answered ${answer.status}: ${answer.body()}`));
        if (report !== undefined) {
          latencies.push(performance.now() - sentAt);
          if (samples.length < samplesKept) samples.push({ index, body: answer.body() });
          if (latencies.length === answers) return finish();
        }
        if (!over) send();
      });
    };

    const measure = () => {
      const cpuBefore = pids.map(cpuMicroseconds);
      const ownBefore = process.cpuUsage();
      const start = performance.now();
      next = 0;
      report = () => {
        const elapsed = (performance.now() - start) / 1000;
        const cpu = pids.map((pid, each) => cpuMicroseconds(pid) - /** @type {number} */ (cpuBefore[each]));
        const own = process.cpuUsage(ownBefore);
        latencies.sort((a, b) => a - b);
        return {
          answers: latencies.length,
          seconds: elapsed,
          cpu,
          ownCpu: own.user + own.system,
          p50: percentile(latencies, 0.5),
          p99: percentile(latencies, 0.99),
          mean: latencies.reduce((total, each) => total + each, 0) / latencies.length,
          most: latencies.at(-1) ?? Number.NaN,
          samples,
        };
      };
      if (answers === undefined) timer = setTimeout(finish, seconds * 1000);
    };

    if (warmUpSeconds === 0) measure();
    else timer = setTimeout(measure, warmUpSeconds * 1000);
    for (let each = 0; each < clients; each++) client();
  });
}

/**
 * Lets answers wait for this process, which blocks between two looks at its connections. Who sends bytes to a process
 * that sleeps also wakes it: on one machine that is the service, and it pays for what other machines' clients cost it not.
 *
 * @param {number} milliseconds
 * @returns {() => void} ends it
 */
function lookOnlyEvery(milliseconds) {
  let isOver = false;
  const wait = () => {
    if (isOver) return;
    Atomics.wait(never, 0, 0, milliseconds);
    setImmediate(wait);
  };
  setImmediate(wait);
  return () => {
    isOver = true;
  };
}

/**
 * The answer that begins `received`, once it is complete; what node:http sends, and no more than that.
 *
 * @param {Buffer} received
 */
function wholeAnswer(received) {
  const headEnd = received.indexOf(endOfHead);
  if (headEnd < 0) return undefined;
  const head = received.toString('latin1', 0, headEnd);
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
  if (Number.isNaN(length)) throw new Error(`an answer without Content-Length: ${head}`);
  const bodyStart = headEnd + endOfHead.length;
  if (received.length < bodyStart + length) return undefined;
  return { status: Number(head.slice(9, 12)), body: () => received.toString('utf8', bodyStart, bodyStart + length) };
}

/** @param {number[]} sorted @param {number} share */
function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

process.on('message', async (/** @type {LoadOrder} */ order) => {
  const answer = await generate(order).then(
    (report) => ({ report }),
    (/** @type {Error} */ error) => ({ failure: error.message }),
  );
  // nobody waits for it any more when the bench was interrupted
  if (process.connected) process.send?.(answer);
});
