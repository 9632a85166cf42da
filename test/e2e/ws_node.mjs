#!/usr/bin/env node
// npm's `ws`: large messages, fragments, pings, close codes, a slow reader, and the Origins that browsers send.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, end, post, serve, test, type, within } from './lib/serve.mjs';

const server = await serve(['--offline-debounce', '100ms', '--presence-rate', '0']);
const url = (dialect, user = 'node') => server.url(`/ws?dialect=${dialect}&user_id=${user}`);

// The five quick-starts, as a node program would write them.
const quick = [
  ['snake', '/ws', { headers: { 'X-User-ID': 'user-uuid', 'X-Device-ID': 'device-123' } }, 'connection_ack', { type: 'ping' }, 'pong'],
  ['dotted', '/ws?user_id=6f1c1a52-3b0e-4b39-9d6e-2b1f0a7c9d11', {}, 'connected',
    { id: 'msg_1', type: 'ping', payload: {}, timestamp: new Date().toISOString() }, 'pong'],
  ['rooms', '/ws?dialect=rooms&user_id=user-123&username=alice', {}, 'presence', { type: 'ping' }, 'pong'],
  ['roster', '/ws?dialect=roster&user_id=user@example.com&client_id=abc123', {}, 'presence.user.online', { type: 'ping' }, 'pong'],
  ['upper', '/?userId=user123', {}, 'CONNECT', { type: 'HEARTBEAT', timestamp: '2024-12-18T10:00:00Z' }, 'HEARTBEAT_ACK'],
];
for (const [name, path, options, greeting, question, answer] of quick) {
  await test(`${name}: connect, ask, close 1000`, async () => {
    const ws = await connect(server.url(path), options);
    await ws.want(type(greeting));
    ws.send(JSON.stringify(question));
    await ws.want(type(answer));
    const closed = ws.closed();
    ws.close(1000, 'done');
    assert.equal((await closed).code, 1000);
  });
}

for (const [dialect, size] of [['rooms', 65536], ['dotted', 10 * 1024 * 1024]]) {
  const message = n => { const s = JSON.stringify({ id: 'x', type: 'ping', pad: '' }); return s.slice(0, -2) + 'x'.repeat(n - s.length) + s.slice(-2); };
  await test(`${dialect}: a message of ${size} bytes is read`, async () => {
    const ws = await connect(url(dialect));
    ws.send(message(size));
    await ws.want(type('pong'));
    ws.close();
  });
  await test(`${dialect}: one more byte closes 1009`, async () => {
    const ws = await connect(url(dialect));
    const closed = ws.closed();
    ws.send(message(size + 1));
    assert.equal((await closed).code, 1009);
  });
  await test(`${dialect}: in 1,000 fragments with pings between`, async () => {
    const ws = await connect(url(dialect));
    const text = message(size), step = Math.ceil(size / 1000);
    let pongs = 0;
    ws.on('pong', () => pongs++);
    for (let at = 0; at < size; at += step) {
      ws.send(text.slice(at, at + step), { fin: at + step >= size });
      if (at % (step * 100) === 0) ws.ping(String(at));
    }
    await ws.want(type('pong'));
    assert.ok(pongs >= 1);
    ws.close();
  });
}

await test('more fragments than max-fragments close 1008', async () => {
  const ws = await connect(url('rooms'));
  const closed = ws.closed();
  for (let i = 0; i < 1100; i++) ws.send(i ? ' ' : '{', { fin: false });
  assert.equal((await closed).code, 1008);
});

await test('ping is answered with its payload', async () => {
  const ws = await connect(url('rooms'));
  const pong = new Promise(yes => ws.on('pong', yes));
  ws.ping(Buffer.from([0, 1, 255]));
  assert.deepEqual(await within(5, pong, 'pong'), Buffer.from([0, 1, 255]));
  ws.close();
});

for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
  await test(`close ${code} is answered with ${code}`, async () => {
    const ws = await connect(url('rooms'));
    const closed = ws.closed();
    ws.close(code, 'réason');
    assert.equal((await closed).code, code);
  });
}

await test('permessage-deflate is offered, and declined cleanly', async () => {
  const ws = await connect(url('rooms'), { perMessageDeflate: true });
  assert.equal(ws.extensions, '');
  ws.send('{"type":"ping"}');
  await ws.want(type('pong'));
  ws.close();
});

await test('a reader that pauses and resumes gets everything, in order', async () => {
  const slow = await connect(url('rooms', 'slow')), fast = await connect(url('rooms', 'fast'));
  for (const ws of [slow, fast]) { ws.send('{"type":"subscribe","channel_id":"c"}'); await ws.want(type('subscribed')); }
  slow.pause();
  for (let i = 0; i < 100; i++) {
    const answer = await post(server.http('/api/v1/broadcast'), { room: 'c', data: { i, pad: 'x'.repeat(5000) } });
    assert.deepEqual(answer, { delivered: 2 });
  }
  await fast.want(m => m.json.type === 'message' && m.json.data.i === 99);
  slow.resume();
  for (let i = 0; i < 100; i++) assert.equal((await slow.want(type('message'))).json.data.i, i);
  slow.close(), fast.close();
});

// What a page may do: an Origin header that scripts cannot change.
const listed = await serve(['--allowed-origins', 'https://app.example,http://localhost:3000']);
const any = await serve(['--allowed-origins', '*']);
const origins = [
  ['the server\'s own', server, () => server.http(''), true], ['localhost, another port', server, () => 'http://localhost:5173', true],
  ['[::1]', server, () => 'http://[::1]:3000', true], ['none', server, () => undefined, true],
  ['foreign', server, () => 'https://evil.example', false], ['null, a sandboxed page or a file', server, () => 'null', false],
  ['looks like loopback', server, () => 'http://127.0.0.1.evil.example', false], ['localhost with user info', server, () => 'http://localhost@evil.example', false],
  ['listed', listed, () => 'https://app.example', true], ['listed, other scheme', listed, () => 'http://app.example', false],
  ['listed, other port', listed, () => 'https://app.example:444', false], ['listed, a subdomain', listed, () => 'https://x.app.example', false],
  ['listed, as a prefix', listed, () => 'https://app.example.evil.io', false], ['listed, host in capitals', listed, () => 'https://APP.example', null],
  ['the second listed', listed, () => 'http://localhost:3000', true], ['any', any, () => 'https://whoever.example', true],
];
for (const [name, where, origin, allowed] of origins) {
  if (allowed === null) continue; // browsers write hosts in lower case
  await test(`Origin ${name}: ${allowed ? 'let in' : '403'}`, async () => {
    const opened = connect(where.url('/ws?dialect=rooms&user_id=o'), { origin: origin() });
    if (allowed) (await opened).close();
    else await assert.rejects(opened, { status: 403 });
  });
}

await test('subprotocols: presenced.NAME is chosen and echoed, others are not', async () => {
  const ws = await connect(server.url('/ws?user_id=p'), {}, ['chat', 'presenced.roster', 'presenced.rooms']);
  assert.equal(ws.protocol, 'presenced.roster');
  await ws.want(type('presence.user.online'));
  ws.close();
});

await test('terminate() without Close: offline after the debounce', async () => {
  const watch = await connect(url('rooms', 'watch')), gone = await connect(url('rooms', 'gone'));
  gone.terminate();
  await watch.want(m => m.json.user_id === 'gone' && m.json.status === 'offline');
  watch.close();
  await pause(0);
});

await end(server, listed, any);
