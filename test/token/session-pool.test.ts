import { setTimeout as wait } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type pkcs11 from 'pkcs11js';
import { TokenBusyError, TokenError } from '../../src/token/return-values.js';
import { SessionPool, type SessionPoolLimits } from '../../src/token/session-pool.js';

/** Stands in for a module because a real one cannot be made to fail when a test wants it to. */
class Sessions {
  readonly opened: number[] = [];
  readonly closed: number[] = [];
  refusesToOpen = false;

  C_OpenSession(): Buffer {
    if (this.refusesToOpen) throw ckr(177);
    this.opened.push(this.opened.length);
    return Buffer.from([this.opened.length - 1]);
  }
  C_CloseSession(session: Buffer): void {
    this.closed.push(session[0] as number);
    if (this.closed.length > 2) throw ckr(179);
  }
}

/** An error as pkcs11js throws it. */
function ckr(code: number): Error {
  return Object.assign(new Error(`CKR_TEST:${code}`), { name: 'Pkcs11Error', code });
}
const number = (session: pkcs11.Handle) => session[0] as number;

/** A call that ends when the test says so. */
function held() {
  let release = () => {};
  let fail = (_error: Error) => {};
  const done = new Promise<void>((resolve, reject) => {
    release = resolve;
    fail = reject;
  });
  return { done, release, fail };
}

let sessions: Sessions;
beforeEach(() => {
  sessions = new Sessions();
  told = [];
});
/** The codes of the errors that the pool has told of. */
let told: (number | undefined)[];
const pool = (limits: Partial<SessionPoolLimits> = {}) =>
  new SessionPool(
    sessions as unknown as pkcs11.PKCS11,
    Buffer.alloc(1),
    { ...{ sessions: 2, waiting: 2, waitMilliseconds: 1_000, callMilliseconds: 50 }, ...limits },
    ({ ckr: code }) => told.push(code),
  );

describe('asynchronous calls', () => {
  test('that take long leave half of the sessions to others, who overtake them', async () => {
    const sut = pool({ sessions: 2, waiting: 8, callMilliseconds: 10_000 });
    const order: string[] = [];
    const calls = ['long 1', 'long 2', 'short 1', 'short 2', 'long 3'].map((name) => ({ name, ...held() }));
    const uses = calls.map(({ name, done }) =>
      sut.use(
        () => {
          order.push(name);
          return done;
        },
        name.startsWith('long') ? 8 : 1,
      ),
    );
    const end = async (name: string) => {
      calls.find((each) => each.name === name)?.release();
      await wait(0);
    };
    await wait(0);
    expect(order).toEqual(['long 1', 'short 1']);
    await end('short 1');
    expect(order).toEqual(['long 1', 'short 1', 'short 2']);
    await end('short 2');
    // a session is free, and not for them
    expect(order).toHaveLength(3);
    expect(sut.load).toMatchObject({ sessionsInUse: 1, waiters: 2 });
    await end('long 1');
    expect(order.at(-1)).toBe('long 2');
    await end('long 2');
    expect(order.at(-1)).toBe('long 3');
    await end('long 3');
    await Promise.all(uses);
    expect(sut.load).toMatchObject({ sessionsInUse: 0, waiters: 0 });
  });

  test('that take long and fail make room for the next', async () => {
    const sut = pool({ sessions: 1, waiting: 8, callMilliseconds: 10_000 });
    const [first, second] = [held(), held()];
    const uses = [first, second].map(({ done }) => sut.use(() => done, 8).catch((error: Error) => error));
    await wait(0);
    first.fail(ckr(5));
    await wait(0);
    second.release();
    expect(await Promise.all(uses)).toEqual([expect.any(TokenError), undefined]);
    expect(sut.load).toMatchObject({ sessionsInUse: 0, waiters: 0 });
  });

  test('have a session each, which the next one has after it', async () => {
    const sut = pool();
    const [first, second] = [held(), held()];
    const used: number[] = [];
    const calls = [first, second].map(({ done }) =>
      sut.use((session) => {
        used.push(number(session));
        return done;
      }),
    );
    await wait(0);
    expect(used).toEqual([0, 1]);
    first.release();
    await calls[0];
    expect(await sut.use(async (session) => number(session))).toBe(0);
    second.release();
    await Promise.all(calls);
    expect(sessions.opened).toHaveLength(2);
    expect(sessions.closed).toEqual([]);
  });

  test('wait for a session in the order of their arrival, and never share one', async () => {
    const sut = pool({ sessions: 1, waiting: 10 });
    let atOnce = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        sut.use(async () => {
          atOnce += 1;
          expect(atOnce).toBe(1);
          await wait(1);
          atOnce -= 1;
          order.push(i);
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(sessions.opened).toHaveLength(1);
  });

  test('are refused at once when too many wait', async () => {
    const sut = pool({ sessions: 1, waiting: 1 });
    const first = held();
    const call = sut.use(() => first.done);
    const waiting = sut.use(async () => 'served');
    await expect(sut.use(async () => {})).rejects.toBeInstanceOf(TokenBusyError);
    first.release();
    await call;
    expect(await waiting).toBe('served');
  });

  test('do not wait for ever, and leave the queue when they stop waiting', async () => {
    const sut = pool({ sessions: 1, waiting: 1, waitMilliseconds: 20 });
    const first = held();
    const call = sut.use(() => first.done);
    await expect(sut.use(async () => {})).rejects.toThrow('no session was free within 20 ms');
    const next = sut.use(async () => 'served');
    first.release();
    await call;
    expect(await next).toBe('served');
  });

  test('that fail lose their session, also to the one that waits for it', async () => {
    const sut = pool({ sessions: 1 });
    const first = held();
    const failing = sut.use(() => first.done);
    const waiting = sut.use(async (session) => number(session));
    first.fail(ckr(48));
    await expect(failing).rejects.toMatchObject({ name: 'TokenError', ckr: 48, reaction: 'module' });
    expect(await waiting).toBe(1);
    expect(sessions.closed).toEqual([0]);
  });

  test('that failed because of a stale handle keep their session', async () => {
    const sut = pool({ sessions: 1 });
    await expect(sut.use(() => Promise.reject(ckr(130)))).rejects.toMatchObject({ reaction: 'handle' });
    expect(await sut.use(async (session) => number(session))).toBe(0);
    expect(sessions.closed).toEqual([]);
  });

  test('fail when no session opens, and go on when one does again', async () => {
    const sut = pool({ sessions: 1 });
    sessions.refusesToOpen = true;
    await expect(sut.use(async () => {})).rejects.toBeInstanceOf(TokenError);
    await expect(sut.use(async () => {})).rejects.toBeInstanceOf(TokenError);
    sessions.refusesToOpen = false;
    expect(await sut.use(async (session) => number(session))).toBe(0);
  });

  test('that wait are told when the session that they would have had cannot be replaced', async () => {
    const sut = pool({ sessions: 1 });
    const first = held();
    const failing = sut.use(() => first.done);
    const waiting = sut.use(async () => {});
    sessions.refusesToOpen = true;
    first.fail(ckr(5));
    await expect(failing).rejects.toMatchObject({ ckr: 5 });
    await expect(waiting).rejects.toMatchObject({ ckr: 177 });
    sessions.refusesToOpen = false;
    expect(await sut.use(async () => 'served')).toBe('served');
  });

  test('that fail a thousand times leave no session lent and none open', async () => {
    const sut = pool({ sessions: 2 });
    for (let i = 0; i < 1_000; i++)
      await expect(sut.use(() => Promise.reject(ckr(5)))).rejects.toBeInstanceOf(TokenError);
    expect(sessions.closed).toHaveLength(sessions.opened.length);
    const both = [held(), held()];
    const calls = both.map(({ done }) => sut.use(() => done));
    for (const { release } of both) release();
    await Promise.all(calls);
  });
});

test('a pool that is closed lends nothing more, and closes each session when its call is over', async () => {
  const sut = pool({ sessions: 1 });
  const first = held();
  sut.now(number);
  const call = sut.use(() => first.done);
  const waiting = sut.use(async () => {});
  const closing = sut.close();
  await expect(waiting).rejects.toMatchObject({ name: 'TokenClosedError' });
  await expect(sut.use(async () => {})).rejects.toMatchObject({ name: 'TokenClosedError' });
  expect(sessions.closed).toEqual([0]);
  first.release();
  await Promise.all([call, closing]);
  expect(sessions.closed.toSorted()).toEqual([0, 1]);
  expect(() => sut.now(number)).toThrow(expect.objectContaining({ name: 'TokenClosedError' }));
});

test('a pool whose token is gone calls the module no more, and tells who waits why', async () => {
  const sut = pool({ sessions: 1 });
  const first = held();
  sut.now(number);
  const call = sut.use(() => first.done);
  const waiting = sut.use(async () => {});
  const gone = new Error('the token is gone');
  const abandoned = sut.abandon(gone);
  await expect(waiting).rejects.toBe(gone);
  expect(() => sut.now(number)).toThrow(gone);
  first.fail(ckr(48));
  await expect(call).rejects.toMatchObject({ ckr: 48 });
  await abandoned;
  expect(sessions.closed).toEqual([]);
});

describe('calls that take too long', () => {
  test('are given up, and keep their session until they end', async () => {
    const sut = pool({ sessions: 1, callMilliseconds: 400 });
    const slow = held();
    const call = sut.use(() => slow.done);
    expect(sut.giveUpOverdue()).toBe(0);
    await wait(410);
    expect(sut.giveUpOverdue()).toBe(1);
    await expect(call).rejects.toMatchObject({ name: 'TokenTimeoutError' });
    expect(sut.giveUpOverdue()).toBe(0);
    const next = sut.use(async (session) => number(session));
    slow.release();
    expect(await next).toBe(0);
    expect(sessions.opened).toEqual([0]);
  });

  test('that end after they were given up take no other with them', async () => {
    const sut = pool();
    const [slow, other] = [held(), held()];
    const first = sut.use(() => slow.done);
    await wait(60);
    expect(sut.giveUpOverdue()).toBe(1);
    await expect(first).rejects.toMatchObject({ name: 'TokenTimeoutError' });
    const second = sut.use(() => other.done);
    slow.release();
    await wait(60);
    expect(sut.giveUpOverdue()).toBe(1);
    await expect(second).rejects.toMatchObject({ name: 'TokenTimeoutError' });
  });

  test('are waited for longer where that was asked for', async () => {
    const sut = pool();
    const slow = held();
    const call = sut.use(() => slow.done, 10_000);
    await wait(60);
    expect(sut.giveUpOverdue()).toBe(0);
    slow.release();
    await call;
  });
});

test('every error of the token is told of, before its session is closed', async () => {
  const sut = pool();
  await expect(sut.use(() => Promise.reject(ckr(48)))).rejects.toBeInstanceOf(TokenError);
  expect(() =>
    sut.now(() => {
      throw ckr(5);
    }),
  ).toThrow(TokenError);
  sessions.refusesToOpen = true;
  expect(() => sut.now(number)).toThrow(TokenError);
  expect(told).toEqual([48, 5, 177]);
});

describe('synchronous calls', () => {
  test('share one session, apart from those that are lent', async () => {
    const sut = pool();
    expect(sut.now(number)).toBe(0);
    expect(sut.now(number)).toBe(0);
    expect(await sut.use(async (session) => number(session))).toBe(1);
  });

  test('that fail lose their session; those with a stale handle do not', () => {
    const sut = pool();
    const failing = (code: number) => () =>
      sut.now(() => {
        throw ckr(code);
      });
    expect(failing(96)).toThrow(expect.objectContaining({ reaction: 'handle' }));
    expect(sut.now(number)).toBe(0);
    expect(failing(64)).toThrow(expect.objectContaining({ reaction: 'input' }));
    expect(sut.now(number)).toBe(1);
    expect(sessions.closed).toEqual([0]);
  });
});
