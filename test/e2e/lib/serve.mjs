// The server under test for node's clients, and TAP. Every wait has a limit.
import { execFileSync, spawn } from 'node:child_process';
import { createHmac, createSign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

const binary = process.env.PRESENCED_BINARY ?? fileURLToPath(new URL('../../../build/presenced', import.meta.url));

// PRESENCED_E2E: over TLS, with tokens (secure.py). The keys are that program's, the signatures are node's.
const mode = process.env.PRESENCED_E2E;
const secure = mode && prepare();

function prepare() {
  const program = fileURLToPath(new URL('secure.py', import.meta.url));
  let directory = process.env.PRESENCED_E2E_DIR;
  if (!directory) {
    directory = mkdtempSync(join(tmpdir(), 'presenced-e2e-'));
    process.on('exit', () => rmSync(directory, { recursive: true }));
    execFileSync(program, [directory]);
  }
  const of = name => readFileSync(join(directory, name));
  const options = execFileSync(program, ['options'], { env: { ...process.env, PRESENCED_E2E_DIR: directory } });
  return { options: String(options).trim().split('\n'), ca: of('ca.pem'), key: mode === 'rs256' ? of('suite-1.pem') : String(of('secret')).trim() };
}

export function token(sub, claims = {}) {
  const part = what => Buffer.from(JSON.stringify(what)).toString('base64url'), now = Math.floor(Date.now() / 1000);
  const text = part(mode === 'rs256' ? { alg: 'RS256', kid: 'suite-1' } : { alg: 'HS256' }) + '.' +
    part({ iss: 'https://issuer.example/suite', aud: ['presence', 'account'], exp: now + 600, sub, ...claims });
  return text + '.' + (mode === 'rs256' ? createSign('sha256').update(text).sign(secure.key, 'base64url')
    : createHmac('sha256', secure.key).update(text).digest('base64url'));
}

// What a client of this mode adds: the CA, and a token for whom it says it is.
function credentials(url, headers = {}) {
  if (!secure) return {};
  const query = new URL(url).searchParams;
  const user = query.get('user_id') ?? query.get('userId') ?? headers['X-User-ID'];
  const claims = query.has('username') ? { preferred_username: query.get('username') } : {};
  return { ca: secure.ca, headers: { ...headers, ...(user && !query.has('token') && { Authorization: `Bearer ${token(user, claims)}` }) } };
}

// POSTs JSON as a program that may write would; the answer's body, parsed.
export async function post(url, body) {
  const headers = { 'Content-Type': 'application/json', ...(secure && { Authorization: `Bearer ${token('service', { scope: 'presence:write' })}` }) };
  const asked = (secure ? requestOverTls : request)(url, { method: 'POST', headers, ...(secure && { ca: secure.ca }) });
  asked.end(JSON.stringify(body));
  const [answer] = await once(asked, 'response');
  return JSON.parse(Buffer.concat(await answer.toArray()));
}

export function within(seconds, promise, what) {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`${what}: nothing within ${seconds} s`)), seconds * 1000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function serve(options = [], listen = ['']) {
  const addresses = listen.flatMap(l => ['--listen', `127.0.0.1:0${l && ','}${l}${secure ? ',tls' : ''}`]);
  if (secure) addresses.push(...secure.options);
  const child = spawn(binary, [...options, ...addresses], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH }, cwd: '/' });
  const server = { child, log: '', ports: [] };
  const ended = once(child, 'exit');
  const listening = new Promise((yes, no) => {
    child.stderr.on('data', chunk => {
      server.log += chunk;
      server.ports = [...server.log.matchAll(/msg=Listening .*?address="?[^ "]*:(\d+)/g)].map(m => Number(m[1]));
      if (server.ports.length === listen.length) yes();
    });
    child.on('exit', code => no(new Error(`the server ended with ${code}: ${server.log}`)));
  });
  await within(10, listening, 'listening');
  server.url = (path, listener = 0) => `${secure ? 'wss' : 'ws'}://127.0.0.1:${server.ports[listener]}${path}`;
  server.http = (path, listener = 0) => server.url(path, listener).replace(/^ws/, 'http');
  server.stop = async () => {
    child.kill('SIGTERM');
    const [code] = await within(15, ended, 'exit after SIGTERM').catch(e => { child.kill('SIGKILL'); throw e; });
    if (code !== 0 || /^level=ERROR|runtime error:|Sanitizer|Assertion/m.test(server.log))
      throw new Error(`exit code ${code}: ${server.log.slice(-3000)}`);
  };
  return server;
}

// A connection whose messages are kept until somebody asks for them: want(test) is the first that passes.
export async function connect(url, options = {}, protocols = []) {
  const ws = new WebSocket(url, protocols, { perMessageDeflate: false, ...options, ...credentials(url, options.headers) });
  const kept = [], waiting = [];
  ws.on('message', (data, isBinary) => {
    const message = { data, isBinary, get json() { return JSON.parse(data); } };
    const at = waiting.findIndex(w => w.test(message));
    if (at >= 0) waiting.splice(at, 1)[0].yes(message); else kept.push(message);
  });
  ws.want = (test, seconds = 10) => {
    const at = kept.findIndex(test);
    if (at >= 0) return Promise.resolve(kept.splice(at, 1)[0]);
    return within(seconds, new Promise(yes => waiting.push({ test, yes })), `a message like ${test}`);
  };
  ws.closed = seconds => within(seconds ?? 10, new Promise(yes => ws.on('close', (code, reason) => yes({ code, reason: String(reason) }))), 'close');
  ws.on('error', () => {});
  await within(10, new Promise((yes, no) => {
    ws.on('open', yes);
    ws.on('unexpected-response', (_, answer) => { ws.terminate(); no(Object.assign(new Error(`refused with ${answer.statusCode}`), { status: answer.statusCode })); });
    ws.on('error', no);
  }), 'open');
  return ws;
}

export const type = name => Object.defineProperty(m => m.json.type === name, 'toString', { value: () => name });

let count = 0, bad = 0;
export async function test(name, run) {
  count++;
  try {
    await within(60, run(), name);
    console.log(`ok ${count} - ${name}`);
  } catch (e) {
    bad++;
    console.log(`not ok ${count} - ${name}\n${String(e.stack ?? e).replace(/^/gm, '# ')}`);
  }
}

export async function end(...servers) {
  for (const server of servers) await test('SIGTERM: exit code 0 and a clean log', server.stop);
  console.log(`1..${count}`);
  process.exit(bad ? 1 : 0);
}
