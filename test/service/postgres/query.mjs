/*
 * A thread that asks PostgreSQL for tests that cannot wait: {url, statement, values, then, port, answered} in, and on the
 * port {rows} or {error}, before answered[0] is raised.
 */
import { parentPort } from 'node:worker_threads';
import pg from 'pg';

pg.types.setTypeParser(pg.types.builtins.INT8, Number);

async function ask({ url, statement, values, then }) {
  // no connection is kept: nobody may use a database that is copied
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(statement, values);
    if (then !== undefined) await client.query(then);
    return rows;
  } finally {
    await client.end();
  }
}

parentPort.on('message', async ({ port, answered, ...question }) => {
  try {
    // as JSON has them: a class of this thread's is none of the test's
    port.postMessage({ rows: JSON.parse(JSON.stringify(await ask(question))) });
  } catch (error) {
    port.postMessage({ error: error.message });
  }
  Atomics.store(answered, 0, 1);
  Atomics.notify(answered, 0);
});
