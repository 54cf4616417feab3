import http from 'node:http';
import https from 'node:https';
import type { Express } from 'express';

/**
 * An HTTP or HTTPS server for an Express application, in which requests and responses are born with the prototypes that Express
 * gives to each of them: changing an object's prototype makes V8 give up its fast paths, which costs more than all the
 * rest of Express (80 of 110 us per request, measured on Node 20).
 *
 * They are made by classes of their own, whose prototypes take the place of the application's. Calling node:http's
 * constructors on objects that already have the application's prototype does not do: V8 leaves too little room in such
 * objects, makes hash tables of them while node:http fills them in, and every access is slow (20 us per request).
 */
export function createExpressServer(
  app: Express,
  options: http.ServerOptions,
  tls: https.ServerOptions | undefined,
): http.Server {
  class ExpressRequest extends http.IncomingMessage {}
  class ExpressResponse<R extends http.IncomingMessage> extends http.ServerResponse<R> {}
  app.request = inheriting(ExpressRequest.prototype, app.request);
  app.response = inheriting(ExpressResponse.prototype, app.response);
  const all = { ...options, IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
  return tls === undefined ? http.createServer(all, app) : https.createServer({ ...all, ...tls }, app);
}

function inheriting<P extends object>(prototype: object, from: P): P {
  return Object.setPrototypeOf(prototype, from) as P;
}
