// The server under test for node's clients, and TAP. Every wait has a limit.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

const binary = process.env.PRESENCED_BINARY ?? fileURLToPath(new URL('../../../build/presenced', import.meta.url));

// E2E_TLS=1, with E2E_TLS_CERT, E2E_TLS_KEY and node told to trust the former: the same over TLS.
const tls = process.env.E2E_TLS === '1' && { cert: process.env.E2E_TLS_CERT, key: process.env.E2E_TLS_KEY };

export function within(seconds, promise, what) {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`${what}: nothing within ${seconds} s`)), seconds * 1000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function serve(options = [], listen = ['']) {
  const addresses = listen.flatMap(l => ['--listen', `127.0.0.1:0${l && ','}${l}${tls ? ',tls' : ''}`]);
  if (tls) addresses.push('--tls-cert', tls.cert, '--tls-key', tls.key);
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
  server.url = (path, listener = 0) => `${tls ? 'wss' : 'ws'}://127.0.0.1:${server.ports[listener]}${path}`;
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
  const ws = new WebSocket(url, protocols, { perMessageDeflate: false, ...(tls && { ca: readFileSync(tls.cert) }), ...options });
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
