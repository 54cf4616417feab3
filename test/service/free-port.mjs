/* A port for what cannot take whichever is free. JavaScript, as what runs before jest does needs it, too. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to clients (Linux: from 32768): no connection of another test takes it meanwhile. */
const ports = { from: 20_000, to: 32_000 };

/** A port of the loopback address that nothing uses, also after what listens there has been restarted. */
export async function freePort() {
  for (;;) {
    const port = randomInt(ports.from, ports.to);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (error.code === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
