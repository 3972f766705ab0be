// A gateway to look at: serves dist and an API whose data change by themselves. Node alone is needed.
//
//   node mock.mjs                      on port 8098
//   node mock.mjs --port=9000 --streams=12 --token=secret --restart=30 --errors
//
// --token wants that token; --restart begins anew every so many seconds, after 6 s without an answer; --errors refuses what buttons ask for.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { World } from './mock/world.mjs';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
  + "form-action 'none'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8' };
/** A grey picture of one pixel. */
const PICTURE = Buffer.from('/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q==', 'base64');
const DIST = new URL('./dist/', import.meta.url);

/** The server, and what a test does to it. */
export class Mock {
  world;
  /** Empty: none is needed. */
  token = '';
  /** The streams whose pictures were asked for. */
  asked = [];
  /** The next requests of buttons get this problem. */
  refusal = null;
  /** `up`; `down` refuses connections' requests at once; `silent` accepts them and says nothing more. */
  way = 'up';
  #readers = new Set();
  #server = http.createServer((request, answer) => this.#serve(request, answer).catch(error => answer.destroy(error)));
  #beat;

  constructor(world) {
    this.world = world;
  }

  async listen(port = 0) {
    await new Promise(done => this.#server.listen(port, '127.0.0.1', done));
    this.#beat = setInterval(() => this.#breathe(), 2_000);
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  close() {
    clearInterval(this.#beat);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Ends all connections, and answers no more. */
  fall() {
    this.way = 'down';
    this.#server.closeAllConnections();
  }

  send(name, data) {
    if (this.way !== 'up') return;
    const id = name === 'zap' ? `id: ${data.id}\n` : '';
    for (const reader of this.#readers) reader.write(`event: ${name}\n${id}data: ${JSON.stringify(data)}\n\n`);
  }

  change(act) {
    const result = act(this.world);
    this.send('state', this.world.state());
    return result;
  }

  zap(outcome) {
    const zap = this.world.zap(Date.now(), outcome);
    this.send('zap', zap);
    this.send('state', this.world.state());
    return zap;
  }

  #breathe() {
    if (this.way === 'up') for (const reader of this.#readers) reader.write(':\n\n');
  }

  async #serve(request, answer) {
    if (this.way === 'down') return request.destroy();
    if (this.way === 'silent') return;
    const { pathname } = new URL(request.url, 'http://mock');
    answer.setHeader('Content-Security-Policy', POLICY);
    answer.setHeader('Cache-Control', 'no-store');
    if (!pathname.startsWith('/api/')) return this.#file(pathname, answer);
    if (this.token && request.headers.authorization !== `Bearer ${this.token}`) {
      return problem(answer, 401, 'A token is needed', 'Send it as Authorization: Bearer.');
    }
    const [kind, id, act] = pathname.slice('/api/v1/'.length).split('/').map(decodeURIComponent);
    if (request.method === 'POST') return this.#act(answer, kind, id, act);
    if (kind === 'streams' && act === 'picture') return this.#picture(answer, Number(id));
    if (kind === 'state') return json(answer, this.world.state());
    if (kind === 'channels') return json(answer, this.world.channels());
    if (kind === 'zaps') return json(answer, { zaps: this.world.zaps() });
    if (kind === 'doctor') return json(answer, { version: '10.11.2', findings: this.world.findings() });
    if (kind === 'events') return this.#follow(request, answer);
    return problem(answer, 404, 'There is no such thing', pathname);
  }

  #act(answer, kind, id, act) {
    if (this.refusal) return problem(answer, ...this.refusal);
    if (act === 'stop' && kind === 'streams' && this.world.has(Number(id))) this.change(world => world.end(Number(id)));
    else if (['pin', 'unpin'].includes(act) && this.world.has(Number(id))) this.change(world => world.set(Number(id), { pinned: act === 'pin' }));
    else if (act === 'warm' && kind === 'channels' && this.change(world => world.warm(id))) {
      return json(answer, this.world.channels().find(({ item }) => item === id), 202);
    } else if (!(kind === 'channels' && act === 'release' && this.change(world => world.release(id)))
      && !(act === 'kick' && kind === 'viewers' && this.change(world => world.kick(id)))) {
      return problem(answer, 404, 'There is no such thing', 'It has gone in the meantime.');
    }
    answer.writeHead(204).end();
  }

  #picture(answer, id) {
    if (!this.world.has(id)) return problem(answer, 404, 'There is no such thing', 'It has gone.');
    this.asked.push(id);
    // Odd streams have none, as while the CPU is short.
    if (id % 2) return answer.writeHead(204).end();
    answer.writeHead(200, { 'Content-Type': 'image/jpeg' }).end(PICTURE);
  }

  #follow(request, answer) {
    answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
    this.#readers.add(answer);
    answer.on('close', () => this.#readers.delete(answer));
    const last = Number(request.headers['last-event-id'] ?? Infinity);
    for (const zap of this.world.zaps()) if (zap.id > last) answer.write(`event: zap\nid: ${zap.id}\ndata: ${JSON.stringify(zap)}\n\n`);
    answer.write(`event: state\ndata: ${JSON.stringify(this.world.state())}\n\n`);
  }

  async #file(path, answer) {
    const name = path === '/' ? 'index.html' : path.slice(1), type = TYPES[extname(name)];
    const body = type && !name.includes('..') && await readFile(new URL(name, DIST)).catch(() => null);
    if (!body) return problem(answer, 404, 'There is no such file', path);
    answer.writeHead(200, { 'Content-Type': type }).end(body);
  }
}

function json(answer, told, status = 200, type = 'application/json') {
  answer.writeHead(status, { 'Content-Type': type }).end(JSON.stringify(told));
}

function problem(answer, status, title, detail) {
  json(answer, { type: 'about:blank', title, status, detail }, status, 'application/problem+json');
}

async function main() {
  const given = Object.fromEntries(process.argv.slice(2).map(word => word.replace(/^--/, '').split('=')));
  const mock = new Mock(new World({ streams: Number(given.streams ?? 4), zaps: Number(given.zaps ?? 160) }));
  mock.token = given.token ?? '';
  if ('errors' in given) mock.refusal = [409, 'The gateway is shutting down', 'It stops all streams itself.'];
  setInterval(() => {
    const zap = mock.world.tick();
    if (zap) mock.send('zap', zap);
    mock.send('state', mock.world.state());
  }, 1_000);
  if (given.restart) {
    setInterval(() => {
      mock.fall();
      mock.world.restart();
      setTimeout(() => { mock.way = 'up'; }, 6_000);
    }, Number(given.restart) * 1_000);
  }
  console.log(await mock.listen(Number(given.port ?? 8098)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
