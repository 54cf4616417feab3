/* One statement on a PostgreSQL database, for tests that cannot wait: {url, statement, values, then} in, the rows out. */
import { readFileSync } from 'node:fs';
import pg from 'pg';

const { url, statement, values = [], then } = JSON.parse(readFileSync(0, 'utf8'));
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const client = new pg.Client({ connectionString: url });
await client.connect();
try {
  const { rows } = await client.query(statement, values);
  if (then !== undefined) await client.query(then);
  process.stdout.write(JSON.stringify(rows));
} finally {
  await client.end();
}
