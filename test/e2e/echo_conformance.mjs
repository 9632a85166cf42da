#!/usr/bin/env node
// dialect=echo through npm's `ws`, after Autobahn's chapters: sizes, fragments, control frames between, UTF-8 cut anywhere.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, end, serve, test, within } from './lib/serve.mjs';

const server = await serve(['--max-message-size', '16m', '--max-fragments', '65536', '--message-rate', '0'], ['dialect=echo']);
const ws = await connect(server.url('/'), { maxPayload: 17 << 20 });

async function same(what, isBinary, send) {
  const bytes = Buffer.from(what);
  const answer = ws.want(() => true, 30);
  if (send) send(bytes); else ws.send(bytes, { binary: isBinary });
  const got = await answer;
  assert.equal(got.isBinary, isBinary, 'text as text, binary as binary');
  assert.equal(got.data.length, bytes.length, 'length');
  assert.ok(got.data.equals(bytes), 'the same bytes');
}

const fragments = (binary, size) => bytes => {
  for (let at = 0; at === 0 || at < bytes.length; at += size)
    ws.send(bytes.subarray(at, at + size), { binary, fin: at + size >= bytes.length });
};

// Chapters 1 and 9.1, 9.2: every length where the header changes, and the large ones.
for (const size of [0, 1, 124, 125, 126, 127, 128, 1000, 65534, 65535, 65536, 65537, 262144, 1 << 20, 4 << 20, 8 << 20, 16 << 20]) {
  await test(`text of ${size} bytes`, () => same('*'.repeat(size), false));
  await test(`binary of ${size} bytes`, () => same(randomBytes(size), true));
}

// Chapters 9.3, 9.4: 4 MiB in fragments.
for (const size of [64, 256, 1024, 4096, 16384, 65536, 1 << 20, 4 << 20]) {
  await test(`4 MiB of text in fragments of ${size}`, () => same('é'.repeat(2 << 20), false, fragments(false, size)));
  await test(`4 MiB of binary in fragments of ${size}`, () => same(randomBytes(4 << 20), true, fragments(true, size)));
}

// Chapter 5: control frames between fragments, empty ones first, in the middle and last.
await test('pings and pongs between fragments', async () => {
  const pongs = [];
  ws.on('pong', data => pongs.push(String(data)));
  await same('fragment1fragment2fragment3', false, bytes => {
    for (let at = 0; at < bytes.length; at += 9) {
      ws.send(bytes.subarray(at, at + 9), { binary: false, fin: at + 9 >= bytes.length });
      ws.ping(`ping ${at}`), ws.pong('unasked');
    }
  });
  ws.ping('last');
  await within(5, new Promise(yes => ws.on('pong', data => String(data) === 'last' && yes())), 'the last pong');
  assert.equal(pongs.at(-1), 'last');
});
for (const [name, parts] of [['first', ['', 'ab', 'c']], ['in the middle', ['ab', '', 'c']], ['last', ['ab', 'c', '']], ['all', ['', '', '']]])
  await test(`empty fragments: ${name}`, () => same(parts.join(''), false, () =>
    parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1 }))));

// Chapter 2: pings of every kind of size.
for (const size of [0, 1, 124, 125])
  await test(`ping of ${size} bytes`, async () => {
    const payload = randomBytes(size);
    const pong = new Promise(yes => ws.once('pong', yes));
    ws.ping(payload);
    assert.ok((await within(5, pong, 'pong')).equals(payload));
  });

// Chapter 6: valid UTF-8 at the borders of each length, whole and cut after every byte.
const texts = ['κόσμε', '\u0000', '\u0080', '\u0800', '\u{10000}', '\u007f', '\u07ff', '\uffff', '\u{10ffff}', '\ud7ff', '\ue000', '\ufffd', '\ufffe',
  'Hello-µ@ßöäüàá-UTF-8!!', '𠜎𠜱𠝹𠱓'];
for (const text of texts) {
  const name = JSON.stringify(text).replace(/[^ -~]/g, c => `\\u{${c.codePointAt(0).toString(16)}}`);
  await test(`UTF-8 ${name}`, () => same(text, false));
  await test(`UTF-8 ${name}, a byte a fragment`, () => same(text, false, fragments(false, 1)));
}

// And what is not UTF-8: 1007, wherever it is cut.
const wrong = ['ff', 'c080', 'c1bf', 'e08080', 'eda080', 'edbfbf', 'f0808080', 'f4908080', 'f8888080', 'e282', 'c3', '80', 'cebae1bdb9cf83cebcceb5eda080656469746564'];
for (const hex of wrong)
  for (const [how, size] of [['whole', 1000], ['a byte a fragment', 1]])
    await test(`not UTF-8, ${hex}, ${how}: 1007`, async () => {
      const one = await connect(server.url('/'));
      const closed = one.closed();
      const bytes = Buffer.from(hex, 'hex');
      for (let at = 0; at < bytes.length; at += size) one.send(bytes.subarray(at, at + size), { binary: false, fin: at + size >= bytes.length });
      assert.equal((await closed).code, 1007);
    });

await test('1,000 messages outstanding come back in order', async () => {
  for (let i = 0; i < 1000; i++) ws.send(`message ${i}`);
  for (let i = 0; i < 1000; i++) assert.equal(String((await ws.want(() => true)).data), `message ${i}`);
});

await test('one byte over 16 MiB: 1009', async () => {
  const one = await connect(server.url('/'));
  const closed = one.closed();
  one.send(Buffer.alloc((16 << 20) + 1));
  assert.equal((await closed).code, 1009);
});

ws.close();
await end(server);
