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
 * @property {number} warmUpSeconds
 * @property {number} seconds
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
 * @property {{ index: number, body: string }[]} samples a few answers, with the index of their request
 */

const samplesKept = 4;
const endOfHead = Buffer.from('\r\n\r\n');

/**
 * @param {LoadOrder} order
 * @returns {Promise<LoadReport>}
 */
function generate({ host, port, requests, clients, warmUpSeconds, seconds, pids }) {
  return new Promise((resolve, reject) => {
    /** @type {number[]} */
    const latencies = [];
    /** @type {LoadReport['samples']} */
    const samples = [];
    /** @type {import('node:net').Socket[]} */
    const sockets = [];
    let next = 0;
    let measuring = false;
    let over = false;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;

    const end = () => {
      over = true;
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
    };
    const fail = (/** @type {Error} */ error) => {
      if (over) return;
      end();
      reject(error);
    };

    const client = () => {
      const socket = connect({ host, port, noDelay: true });
      sockets.push(socket);
      let index = 0;
      let sentAt = 0;
      /** @type {Buffer | undefined} */
      let received;
      const send = () => {
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
        if (measuring) {
          latencies.push(performance.now() - sentAt);
          if (samples.length < samplesKept) samples.push({ index, body: answer.body() });
        }
        if (!over) send();
      });
    };

    const measure = () => {
      const cpuBefore = pids.map(cpuMicroseconds);
      const ownBefore = process.cpuUsage();
      const start = performance.now();
      measuring = true;
      timer = setTimeout(() => {
        measuring = false;
        const elapsed = (performance.now() - start) / 1000;
        const cpu = pids.map((pid, each) => cpuMicroseconds(pid) - /** @type {number} */ (cpuBefore[each]));
        const own = process.cpuUsage(ownBefore);
        end();
        latencies.sort((a, b) => a - b);
        resolve({
          answers: latencies.length,
          seconds: elapsed,
          cpu,
          ownCpu: own.user + own.system,
          p50: percentile(latencies, 0.5),
          p99: percentile(latencies, 0.99),
          samples,
        });
      }, seconds * 1000);
    };

    for (let each = 0; each < clients; each++) client();
    timer = setTimeout(measure, warmUpSeconds * 1000);
  });
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
  try {
    process.send?.({ report: await generate(order) });
  } catch (error) {
    process.send?.({ failure: /** @type {Error} */ (error).message });
  }
});
