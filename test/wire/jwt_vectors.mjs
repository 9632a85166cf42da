// Makes test/wire/jwt_vectors.h and jwk_vectors.h: tokens and keys by node's and openssl's hand, none by ours.
//
//     node test/wire/jwt_vectors.mjs
//
// Every run makes new keys and forgets the private ones: what is committed has public keys, signatures, and one
// secret, all of them good for nothing but these tests. The rows follow the classes of Project Wycheproof's
// json_web_signature and json_web_key vectors and RELIABILITY T1 to T12; no vector is copied.
import crypto from 'node:crypto'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { digestInfos } from './jwt_digest_infos.mjs'

const here = path.dirname(new URL(import.meta.url).pathname)
const NOW = 1700000000 // s; the test's clock
const b64 = (x) => Buffer.from(x).toString('base64url')
const json = (x) => (typeof x === 'string' ? x : JSON.stringify(x))
const sha256 = (x) => crypto.createHash('sha256').update(x).digest()
const pair = (kind, options) => crypto.generateKeyPairSync(kind, options)

const secret = 'a secret for tests only, of 41 bytes, yes'
const rsa = pair('rsa', { modulusLength: 2048 })
const rsa2 = pair('rsa', { modulusLength: 2048 })
const rsa4096 = pair('rsa', { modulusLength: 4096 })
const ec = pair('ec', { namedCurve: 'P-256' })
const ec2 = pair('ec', { namedCurve: 'P-256' })
const p384 = pair('ec', { namedCurve: 'P-384' })
const jwk = (k, more) => ({ ...k.publicKey.export({ format: 'jwk' }), ...more })
const raw = { dsaEncoding: 'ieee-p1363' }

const signers = {
  HS256: (s, key = secret) => crypto.createHmac('sha256', key).update(s).digest(),
  HS384: (s) => crypto.createHmac('sha384', secret).update(s).digest(),
  HS512: (s) => crypto.createHmac('sha512', secret).update(s).digest(),
  RS256: (s, key = rsa.privateKey) => crypto.sign('sha256', s, key),
  RS384: (s) => crypto.sign('sha384', s, rsa.privateKey),
  RS512: (s) => crypto.sign('sha512', s, rsa.privateKey),
  ES256: (s, key = ec.privateKey) => crypto.sign('sha256', s, { key, ...raw }),
  ES384: (s) => crypto.sign('sha384', s, { key: p384.privateKey, ...raw }),
  ES512: (s) => crypto.sign('sha512', s, { key: ec.privateKey, ...raw }),
  ES256K: (s) => crypto.sign('sha256', s, { key: pair('ec', { namedCurve: 'secp256k1' }).privateKey, ...raw }),
  EdDSA: (s) => crypto.sign(null, s, pair('ed25519').privateKey),
}
for (const [n, hash] of [['PS256', 'sha256'], ['PS384', 'sha384'], ['PS512', 'sha512']])
  signers[n] = (s) => crypto.sign(hash, s, { key: rsa.privateKey, padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
    saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST })

const good = { sub: 'alice', exp: NOW + 600 }
// A token: header and payload are objects, texts, or bytes; how it is signed, a name above or a function of the input.
function token(header, payload, how, key) {
  const input = Buffer.from(b64(json(header)) + '.' + b64(json(payload)))
  return input + '.' + b64((typeof how === 'function' ? how : signers[how])(input, key))
}
const hs = (payload, header = { alg: 'HS256' }) => token(header, payload, 'HS256')

// ---------------------------------------------------------------- tokens
const rows = [] // [clause, name, keys, policy, token, want]
const row = (clause, name, keys, token_, want, policy = 'NONE') => rows.push([clause, name, keys, policy, token_, want])

// T1: what is good
const H = 'SECRET', R = 'RSA', E = 'EC', S = 'SET'
const rs = token({ alg: 'RS256' }, good, 'RS256'), es = token({ alg: 'ES256' }, good, 'ES256'), hm = hs(good)
row('T1', 'HS256', H, hm, 'ok')
row('T1', 'RS256, key without a name', R, rs, 'ok')
row('T1', 'ES256, key without a name', E, es, 'ok')
row('T1', 'RS256, 4096 bits', 'RSA4096', token({ alg: 'RS256' }, good, 'RS256', rsa4096.privateKey), 'ok')
row('T1', 'RS256 by kid', S, token({ alg: 'RS256', kid: 'rsa-1' }, good, 'RS256'), 'ok')
row('T1', 'ES256 by kid', S, token({ alg: 'ES256', kid: 'ec-1' }, good, 'ES256'), 'ok')
row('T1', 'kid of 128 bytes', S, token({ alg: 'ES256', kid: 'k'.repeat(128) }, good, 'ES256', ec2.privateKey), 'ok')
row('T1', 'kid with escapes', S, token('{"alg":"ES256","kid":"e\\u0063-1"}', good, 'ES256'), 'ok')
row('T1', 'kid for a key without a name', R, token({ alg: 'RS256', kid: 'any' }, good, 'RS256'), 'ok')
row('T1', 'an empty kid is none', H, hs(good, { alg: 'HS256', kid: '' }), 'ok')
row('T1', 'typ and cty', H, hs(good, { alg: 'HS256', typ: 'at+jwt', cty: 'x' }), 'ok')
row('JWS 376', 'blanks in the header', H, hs(good, ' { "alg" : "HS256" } '), 'ok')
row('JWS 377', 'white space in the header', H, hs(good, '{"typ":"JWT",\n\t"alg":"HS256"}'), 'ok')
for (let i = 0; ; i++) { // JWS 358: a MAC that begins with zeros
  const t = hs({ ...good, i })
  if (Buffer.from(t.split('.')[2], 'base64url')[0] === 0) { row('JWS 358', 'MAC that begins with 0', H, t, 'ok'); break }
}

// Each algorithm's common classes: JWS 1-16, 18-30, 33-45, T8
for (const [alg, keys, t, more] of [['HS256', H, hm, {}], ['RS256', R, rs, {}], ['ES256', E, es, {}]]) {
  const [h, p, s] = t.split('.'), flip = (x) => (x[0] === 'A' ? 'B' : 'A') + x.slice(1)
  row('JWS 2', alg + ': signature modified', keys, [h, p, flip(s)].join('.'), 'signature')
  row('JWS 2', alg + ': last byte modified', keys,
    [h, p, b64(Buffer.from(s, 'base64url').map((b, i, a) => (i === a.length - 1 ? b ^ 1 : b)))].join('.'), 'signature')
  row('JWS 5', alg + ': payload modified', keys, [h, flip(p), s].join('.'), 'signature')
  row('JWS 8', alg + ': header modified', keys, [b64(json({ alg, typ: 'J', ...more })), p, s].join('.'), 'signature')
  row('JWS 3', alg + ': no signature', keys, `${h}.${p}.`, 'malformed')
  row('JWS 4', alg + ': no signature, no dot', keys, `${h}.${p}`, 'malformed')
  row('JWS 6', alg + ': no payload', keys, `${h}..${s}`, 'malformed')
  row('JWS 7', alg + ': no payload, no dot', keys, `${h}.${s}`, 'malformed')
  row('JWS 9', alg + ': no header', keys, `.${p}.${s}`, 'malformed')
  row('JWS 10', alg + ': no header, no dot', keys, `${p}.${s}`, 'malformed')
  row('JWS 11', alg + ': payload alone', keys, `.${p}.`, 'malformed')
  row('JWS 12', alg + ': no dots', keys, p, 'malformed')
  row('JWS 14', alg + ': a fourth part, empty', keys, t + '.', 'malformed')
  row('JWS 15', alg + ': a fourth part', keys, t + '.foo', 'malformed')
  row('T7', alg + ': a byte more', keys, [h, p, b64(Buffer.concat([Buffer.from(s, 'base64url'), Buffer.from([0])]))].join('.'),
    'signature')
  row('T7', alg + ': a zero byte before', keys,
    [h, p, b64(Buffer.concat([Buffer.from([0]), Buffer.from(s, 'base64url')]))].join('.'), 'signature')
  row('T7', alg + ': a byte less', keys, [h, p, b64(Buffer.from(s, 'base64url').subarray(0, -1))].join('.'), 'signature')
  row('T7', alg + ': zeros', keys, [h, p, b64(Buffer.alloc(Buffer.from(s, 'base64url').length))].join('.'), 'signature')
  row('T7', alg + ': 513 bytes', keys, [h, p, b64(Buffer.alloc(513, 1))].join('.'), 'malformed')
}
row('JWS 13', 'empty', H, '', 'malformed')
row('JWS 17', 'JSON serialization', H, JSON.stringify({ payload: hm.split('.')[1], signatures: [{ protected: hm.split('.')[0],
  signature: hm.split('.')[2] }] }), 'malformed')
row('JWS 17', 'flattened JSON serialization', H, JSON.stringify({ payload: hm.split('.')[1], protected: hm.split('.')[0],
  signature: hm.split('.')[2] }), 'malformed')
row('T8', 'dots alone', H, '..', 'malformed')
row('T8', 'five parts (JWE)', H, hm + '.a.b', 'malformed')

// T2: the algorithm is the key's
row('JWS 16', 'alg none without a signature', H, `${b64('{"alg":"none"}')}.${b64(json(good))}.`, 'algorithm')
for (const none of ['none', 'None', 'nOnE', 'NONE', '', 'hs256', 'HS256 ', 'HS256\u0000'])
  row('T2', `alg ${JSON.stringify(none).replace(/\\/g, '')} over a good MAC`, H, hs(good, { alg: none }), 'algorithm')
row('T2', 'no alg', H, hs(good, {}), 'algorithm')
for (const alg of [null, 256, ['HS256'], { a: 'HS256' }, true])
  row('T2', `alg is ${JSON.stringify(alg).replace(/"/g, "'")}`, H, hs(good, { alg }), 'malformed')
row('J7', 'alg twice', H, hs(good, '{"alg":"HS256","alg":"HS256"}'), 'malformed')
row('J7', 'alg twice, one escaped', H, hs(good, '{"alg":"HS256","a\\u006cg":"none"}'), 'malformed')
for (const alg of ['HS384', 'HS512', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES384', 'ES512', 'ES256K', 'EdDSA'])
  row('T1', `${alg}, well signed`, 'ALL', token({ alg }, good, alg), 'algorithm')
row('T2', 'PS256 signature that says RS256', R, token({ alg: 'RS256' }, good, 'PS256'), 'signature')
row('T2', 'RS384 signature that says RS256', R, token({ alg: 'RS256' }, good, 'RS384'), 'signature')
row('T2', 'RS512 signature that says RS256', R, token({ alg: 'RS256' }, good, 'RS512'), 'signature')
row('T2', 'HS384 MAC that says HS256', H, token({ alg: 'HS256' }, good, 'HS384'), 'signature')
row('T2', 'SHA-384 signature that says ES256', E,
  token({ alg: 'ES256' }, good, (s) => crypto.sign('sha384', s, { key: ec.privateKey, ...raw })), 'signature')
const pemOf = (k, type) => k.publicKey.export({ format: 'pem', type })
row('T2', 'HS256 keyed with our RSA key, PEM', R, token({ alg: 'HS256' }, good, 'HS256', pemOf(rsa, 'spki')), 'algorithm')
row('T2', 'HS256 keyed with our RSA key, PEM, PKCS 1', R, token({ alg: 'HS256' }, good, 'HS256', pemOf(rsa, 'pkcs1')), 'algorithm')
row('T2', 'HS256 keyed with our RSA key, its modulus', S,
  token({ alg: 'HS256', kid: 'rsa-1' }, good, 'HS256', Buffer.from(jwk(rsa).n, 'base64url')), 'algorithm')
row('JWS 31', 'HS256 keyed with our EC key', S, token({ alg: 'HS256', kid: 'ec-1' }, good, 'HS256',
  Buffer.concat([Buffer.from([4]), Buffer.from(jwk(ec).x, 'base64url'), Buffer.from(jwk(ec).y, 'base64url')])), 'algorithm')
row('T2', 'ES256 for an RSA key', S, token({ alg: 'ES256', kid: 'rsa-1' }, good, 'ES256'), 'algorithm')
row('T2', 'RS256 for an EC key', S, token({ alg: 'RS256', kid: 'ec-1' }, good, 'RS256'), 'algorithm')

// T3: keys in the header
const other = pair('ec', { namedCurve: 'P-256' })
row('JWS 32', 'jwk in the header signed it', E,
  token({ alg: 'ES256', jwk: jwk(other) }, good, 'ES256', other.privateKey), 'signature')
row('T3', 'jwk, jku, x5u, x5c in the header count for nothing', E,
  token({ alg: 'ES256', jwk: jwk(other), jku: 'http://x/', x5u: 'http://x/', x5c: ['MA=='] }, good, 'ES256'), 'ok')

// T12: kid
row('T12', 'unknown kid', S, token({ alg: 'ES256', kid: 'ec-2' }, good, 'ES256'), 'no_key')
row('T12', 'unknown kid, one key of that kind', S, token({ alg: 'RS256', kid: 'rsa-2' }, good, 'RS256'), 'no_key')
row('T12', 'kid is a path', S, token({ alg: 'ES256', kid: '../../dev/null' }, good, 'ES256'), 'no_key')
row('T12', 'kid with NUL behind a good one', S, token({ alg: 'ES256', kid: 'ec-1\u0000' }, good, 'ES256'), 'no_key')
row('T12', 'kid in other case', S, token({ alg: 'ES256', kid: 'EC-1' }, good, 'ES256'), 'no_key')
row('T12', 'kid is a prefix', S, token({ alg: 'ES256', kid: 'ec-' }, good, 'ES256'), 'no_key')
row('T12', 'kid of another key of that kind', S, token({ alg: 'ES256', kid: 'k'.repeat(128) }, good, 'ES256'), 'signature')
row('T12', 'kid of 129 bytes', S, token({ alg: 'ES256', kid: 'k'.repeat(129) }, good, 'ES256'), 'malformed')
row('T12', 'kid of 4 KiB', S, token({ alg: 'ES256', kid: 'k'.repeat(4096) }, good, 'ES256'), 'malformed')
for (const kid of [1, null, ['ec-1'], { a: 1 }, false])
  row('T12', `kid is ${JSON.stringify(kid).replace(/"/g, "'")}`, S, token({ alg: 'ES256', kid }, good, 'ES256'), 'malformed')
row('T12', 'no kid, two keys of that kind', S, token({ alg: 'ES256' }, good, 'ES256'), 'no_key')
row('T12', 'no kid, one key of that kind', S, token({ alg: 'RS256' }, good, 'RS256'), 'ok')
row('T12', 'no keys', 'EMPTY', rs, 'no_key')

// T9, header
for (const [name, more] of [['crit, known', { crit: ['exp'], exp: 1 }], ['crit, unknown', { crit: ['x'], x: 1 }], ['crit, empty', { crit: [] }],
  ['crit is null', { crit: null }], ['b64 false', { crit: ['b64'], b64: false }], ['b64 false without crit', { b64: false }],
  ['b64 true', { b64: true }]])
  row('T9', name, H, hs(good, { alg: 'HS256', ...more }), 'critical')
row('T9', 'b64 false, payload as it is', H, (() => {
  const h = b64('{"alg":"HS256","b64":false,"crit":["b64"]}'), p = json(good)
  return `${h}.${p}.${b64(signers.HS256(h + '.' + p))}`
})(), 'malformed')
row('jwt.h', 'typ is a number', H, hs(good, { alg: 'HS256', typ: 1 }), 'malformed')
for (const [name, header] of [['an array', '["alg"]'], ['a text', '"HS256"'], ['null', 'null'], ['empty', ' '], ['cut', '{"alg":"HS256"'],
  ['followed by more', '{"alg":"HS256"}{}'], ['with a comma too many', '{"alg":"HS256",}'], ['with a byte order mark', '\ufeff{"alg":"HS256"}'],
  ['too deep', `{"alg":"HS256","a":${'['.repeat(40)}${']'.repeat(40)}}`]])
  row('T1', 'header is ' + name, H, hs(good, header), 'malformed')
row('T1', 'header is not UTF-8', H, (() => {
  const input = b64(Buffer.concat([Buffer.from('{"alg":"HS256","a":"'), Buffer.from([0xff]), Buffer.from('"}')])) + '.' + b64(json(good))
  return input + '.' + b64(signers.HS256(input))
})(), 'malformed')

// T8: base64url. The MAC is that of the text as it stands.
const resign = (h, p) => `${h}.${p}.${b64(signers.HS256(h + '.' + p))}`
const [hh, pp, ss] = hm.split('.')
const three = b64('{"alg":"HS256" }'), spare = b64('{"alg":"HS256"}  ')
const bump = (x) => x.slice(0, -1) + 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.replace(
  new RegExp(`^.*${x.at(-1)}(.).*$`), '$1')
row('JWS 357', 'plain', H, resign(hh, pp), 'ok')
for (const [part, f] of [['header', (f) => resign(f(hh), pp)], ['payload', (f) => resign(hh, f(pp))], ['signature', (f) => `${hh}.${pp}.${f(ss)}`]]) {
  row('JWS 365', `blanks before the ${part}`, H, f((x) => '   ' + x), 'malformed')
  row('JWS 360', `blanks in the ${part}`, H, f((x) => x.slice(0, 4) + ' ' + x.slice(4)), 'malformed')
  row('JWS 360', `newline behind the ${part}`, H, f((x) => x + '\n'), 'malformed')
  row('JWS 361', `a control character in the ${part}`, H, f((x) => x.slice(0, 4) + '\u0001' + x.slice(4)), 'malformed')
  row('JWS 366', `#### behind the ${part}`, H, f((x) => x + '####'), 'malformed')
  row('JWS 372', `? in the ${part}`, H, f((x) => x.slice(0, -1) + '?' + x.slice(-1)), 'malformed')
  row('JWS 364', `a byte that is not ASCII in the ${part}`, H, f((x) => 'é' + x), 'malformed')
  row('JWS 367', `= behind the ${part}`, H, f((x) => x + '='), 'malformed')
  row('JWS 367', `== behind the ${part}`, H, f((x) => x + '=='), 'malformed')
  row('T8', `one digit too many in the ${part}`, H, f((x) => x + 'A'.repeat((5 - x.length % 4) % 4 || 4)), 'malformed')
}
const plus = [...Array(2000).keys()].map((i) => hs({ ...good, i })).find((t) => /-.*_|_.*-/.test(t.split('.')[2]))
row('T8', 'digits - and _', H, plus, 'ok')
row('T8', 'digits + and / in the signature', H, plus.split('.').map((x, i) => (i === 2 ? x.replace(/-/g, '+').replace(/_/g, '/') : x)).join('.'), 'malformed')
row('JWS 374', 'unused bits of the signature', H, `${hh}.${pp}.${bump(ss)}`, 'malformed')
const odd = b64(json({ ...good, a: 1 }).padEnd(40)) // 40 bytes: four unused bits
row('JWS 375', 'unused bits of the payload, signed as they stand', H, resign(hh, bump(odd)), 'malformed')
row('JWS 374', 'unused bits of the payload, signed as they should be', H, `${hh}.${bump(odd)}.${resign(hh, odd).split('.')[2]}`, 'signature')
row('JWS 375', 'unused bits of the header', H, resign(bump(three), pp), 'malformed')
row('JWS 375', 'unused bits of the header, two', H, resign(bump(spare), pp), 'malformed')

// T7: RS256. The key signs whatever block it is given.
const n = BigInt('0x' + Buffer.from(jwk(rsa).n, 'base64url').toString('hex'))
const bytesOf = (v, len) => Buffer.from(v.toString(16).padStart(2 * len, '0'), 'hex')
const rsaRaw = (block) => crypto.privateEncrypt({ key: rsa.privateKey, padding: crypto.constants.RSA_NO_PADDING }, block)
const emsa = (info, len = 256) => Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(len - 3 - info.length, 0xff), Buffer.from([0]), info])
const rsaBlock = (clause, name, block) =>
  row(clause, 'RS256: ' + name, R, token({ alg: 'RS256' }, good, (s) => rsaRaw(block(sha256(s)))), 'signature')
const prefix = Buffer.from('3031300d060960864801650304020105000420', 'hex')
const info = (hash) => Buffer.concat([prefix, hash])
row('JWS 33', 'RS256: the block as it should be', R, token({ alg: 'RS256' }, good, (s) => rsaRaw(emsa(info(sha256(s))))), 'ok')
for (const [clause, name, f] of digestInfos) rsaBlock(clause, name, (hash) => emsa(f(hash)))
rsaBlock('T7', 'block type 2', (h) => { const b = emsa(info(h)); b[1] = 2; return b })
rsaBlock('T7', 'block type 0', (h) => { const b = emsa(info(h)); b[1] = 0; return b })
rsaBlock('T7', 'first byte 1', (h) => { const b = emsa(info(h)); b[0] = 1; return b })
rsaBlock('T7', 'a zero among the FF', (h) => { const b = emsa(info(h)); b[50] = 0; return b })
rsaBlock('T7', 'an FE among the FF', (h) => { const b = emsa(info(h)); b[50] = 0xfe; return b })
rsaBlock('T7', 'no zero behind the FF', (h) => { const b = emsa(info(h)); b[256 - 52] = 0xff; return b })
rsaBlock('T7', 'eight FF, the hash, then garbage (Bleichenbacher 2006)', (h) =>
  Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(8, 0xff), Buffer.from([0]), info(h), Buffer.alloc(256 - 11 - 51, 0x5a)]))
rsaBlock('T7', 'the hash without DigestInfo', (h) => emsa(h))
rsaBlock('T7', 'signature is the hash alone', (h) => Buffer.concat([Buffer.alloc(224), h]))
const rsaNumber = (name, v, len = 256) =>
  row('T7', 'RS256: signature is ' + name, R, token({ alg: 'RS256' }, good, () => bytesOf(v, len)), 'signature')
rsaNumber('1', 1n); rsaNumber('n', n); rsaNumber('n - 1', n - 1n); rsaNumber('n + 1', n + 1n); rsaNumber('all ones', (1n << 2048n) - 1n)
row('T7', 'RS256: good signature plus n', 'ALL', (() => {
  for (let i = 0; ; i++) { // the sum must fit
    const t = token({ alg: 'RS256', kid: 'rsa-1' }, { ...good, i }, 'RS256').split('.')
    const v = BigInt('0x' + Buffer.from(t[2], 'base64url').toString('hex')) + n
    if (v < 1n << 2048n) return `${t[0]}.${t[1]}.${b64(bytesOf(v, 256))}`
    if (i > 4000) return `${t[0]}.${t[1]}.${b64(bytesOf(n, 256))}`
  }
})(), 'signature')
row('T7', 'RS256: another key', R, token({ alg: 'RS256' }, good, 'RS256', rsa2.privateKey), 'signature')

// T7: ES256
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const field = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const rAndS = (r, s, len = 32) => Buffer.concat([bytesOf(r, len), bytesOf(s, len)])
const edges = [['0', 0n], ['1', 1n], ['n - 1', order - 1n], ['n', order], ['p', field]]
for (const [rn, r] of edges) for (const [sn, s] of edges)
  row('JWS 386', `ES256: r = ${rn}, s = ${sn}`, E, token({ alg: 'ES256' }, good, () => rAndS(r, s)), 'signature')
const esAs = (clause, name, f) => row(clause, 'ES256: ' + name, E, token({ alg: 'ES256' }, good, (input) => {
  const sig = signers.ES256(input)
  return f(BigInt('0x' + sig.subarray(0, 32).toString('hex')), BigInt('0x' + sig.subarray(32).toString('hex')), input)
}), 'signature')
esAs('JWS 379', 'a byte too many in each', (r, s) => rAndS(r, s, 33))
esAs('JWS 380', 'zeros behind', (r, s) => Buffer.concat([rAndS(r, s), Buffer.alloc(64)]))
esAs('JWS 381', 'r + n', (r, s) => (r + order < 1n << 256n ? rAndS(r + order, s) : rAndS(order + 1n, s)))
esAs('JWS 382', 's + n', (r, s) => (s + order < 1n << 256n ? rAndS(r, s + order) : rAndS(r, order + 1n)))
esAs('JWS 383', 'r + 2^256, two lengths', (r, s) => Buffer.concat([bytesOf(r + (1n << 256n), 33), bytesOf(s, 32)]))
esAs('JWS 384', 's + 2^256, two lengths', (r, s) => Buffer.concat([bytesOf(r, 32), bytesOf(s + (1n << 256n), 33)]))
esAs('JWS 385', 'numbers of 256 bytes', (r, s) => rAndS(r, s, 256))
row('T7', 'ES256: r and s of 31 bytes, which is enough for these', E, token({ alg: 'ES256' }, good, (input) => {
  for (;;) { // one in 65536
    const sig = signers.ES256(input)
    if (sig[0] === 0 && sig[32] === 0) return Buffer.concat([sig.subarray(1, 32), sig.subarray(33)])
  }
}), 'signature')
esAs('T7', 'r and s the other way round', (r, s) => rAndS(s, r))
esAs('T7', 'DER', (r, s, input) => crypto.sign('sha256', input, ec.privateKey))
row('T7', 'ES256: n - s is as good (RFC 8725 asks no more)', E, token({ alg: 'ES256' }, good, (input) => {
  const sig = signers.ES256(input)
  return rAndS(BigInt('0x' + sig.subarray(0, 32).toString('hex')), order - BigInt('0x' + sig.subarray(32).toString('hex')))
}), 'ok')
row('T7', 'ES256: another key', E, token({ alg: 'ES256' }, good, 'ES256', ec2.privateKey), 'signature')

// T7: HS256
row('T7', 'HS256: another secret', H, token({ alg: 'HS256' }, good, 'HS256', secret + '\n'), 'signature')
row('T7', 'HS256: half the MAC', H, token({ alg: 'HS256' }, good, (s) => signers.HS256(s).subarray(0, 16)), 'signature')

// T10: dates
const at = (clause, name, more, want, policy) => row(clause, name, H, hs({ ...good, ...more }), want, policy)
const dated = (clause, name, exp, want, policy) => row(clause, name, H, hs(`{"sub":"alice","exp":${exp}}`), want, policy)
row('T10', 'no exp', H, hs({ sub: 'alice' }), 'no_expiry')
dated('T10', 'exp is a text', '"1800000000"', 'malformed')
dated('T10', 'exp is null', 'null', 'malformed')
dated('T10', 'exp is true', 'true', 'malformed')
dated('T10', 'exp is an array', '[1800000000]', 'malformed')
dated('T10', 'exp is negative', '-1', 'malformed')
dated('T10', 'exp is hardly negative', '-0.001', 'malformed')
dated('T10', 'exp is -0.0001, which is 0', '-0.0001', 'expired')
dated('T10', 'exp is 0', '0', 'expired')
dated('T10', 'exp is 1e400', '1e400', 'malformed')
dated('T10', 'exp is 1e-400', '1e-400', 'expired')
dated('T10', 'exp in milliseconds', '1700000600000', 'malformed')
dated('T10', 'exp is the end of 9999', '253402300799', 'ok')
dated('T10', 'exp is the end of 9999, and a half', '253402300799.5', 'ok')
dated('T10', 'exp is the year 10000', '253402300800', 'malformed')
dated('T10', 'exp is 2^63', '9223372036854775808', 'malformed')
dated('T10', 'exp is (2^63 - 1) / 1000', '9223372036854775', 'malformed')
dated('T10', 'exp of 5000 digits', '1' + '0'.repeat(3000), 'malformed')
dated('T10', 'exp is 0.00..1 of 3000 digits', '0.' + '0'.repeat(3000) + '1', 'expired')
dated('T10', 'exp is 1.8e9', '1.8e9', 'ok')
dated('T10', 'exp is 18E8', '18E8', 'ok')
dated('T10', 'exp is 18000000000e-1', '18000000000e-1', 'ok')
dated('T10', 'exp has a fraction', '1700000000.25', 'ok')
dated('T10', 'exp is now', '1700000000', 'expired')
dated('T10', 'exp is a millisecond later', '1700000000.001', 'ok')
dated('T10', 'exp is less than that later', '1700000000.0009', 'expired')
dated('T10', 'exp is a second ago', '1699999999', 'expired')
dated('T10', 'exp is a minute ago, leeway', '1699999940', 'expired', 'LEEWAY')
dated('T10', 'exp is less than a minute ago, leeway', '1699999940.001', 'ok', 'LEEWAY')
at('T10', 'nbf is now', { nbf: NOW }, 'ok')
at('T10', 'nbf is in a second', { nbf: NOW + 1 }, 'not_yet')
at('T10', 'nbf is in a millisecond', { nbf: NOW + 0.001 }, 'not_yet')
at('T10', 'nbf is in a minute, leeway', { nbf: NOW + 60 }, 'ok', 'LEEWAY')
at('T10', 'nbf is in more than a minute, leeway', { nbf: NOW + 60.001 }, 'not_yet', 'LEEWAY')
at('T10', 'iat is now', { iat: NOW }, 'ok')
at('T10', 'iat is in a second', { iat: NOW + 1 }, 'not_yet')
at('T10', 'iat is in a minute, leeway', { iat: NOW + 60 }, 'ok', 'LEEWAY')
at('T10', 'iat is in more than a minute, leeway', { iat: NOW + 61 }, 'not_yet', 'LEEWAY')
at('T10', 'nbf is a text', { nbf: '0' }, 'malformed')
at('T10', 'nbf is null', { nbf: null }, 'malformed')
at('T10', 'nbf is negative', { nbf: -1 }, 'malformed')
at('T10', 'iat is a text', { iat: '0' }, 'malformed')
at('T10', 'iat is negative', { iat: -1 }, 'malformed')
row('J7', 'exp twice', H, hs('{"sub":"a","exp":1800000000,"exp":1800000000}'), 'malformed')

// T11: issuer, audience, subject
const iss = 'https://id.example/realms/one', both = { iss, aud: 'presenced' }
const demand = (name, more, want, policy = 'PARTIES') => at('T11', name, more, want, policy)
demand('issuer and audience', both, 'ok')
demand('the second issuer', { ...both, iss: 'https://id.example/realms/two' }, 'ok')
demand('the second audience', { ...both, aud: 'second' }, 'ok')
demand('no issuer', { aud: 'presenced' }, 'issuer')
for (const [name, v] of [['a slash more', iss + '/'], ['a letter less', iss.slice(0, -1)], ['http', iss.replace('https', 'http')],
  ['other case', iss.toUpperCase()], ['a blank behind', iss + ' '], ['NUL behind', iss + '\u0000'], ['empty', '']])
  demand('issuer: ' + name, { ...both, iss: v }, 'issuer')
demand('issuer is an array', { ...both, iss: [iss] }, 'malformed')
demand('issuer is a number', { ...both, iss: 1 }, 'malformed')
at('T11', 'issuer is a number, none demanded', { iss: 1 }, 'malformed')
at('T11', 'any issuer and audience when none is demanded', { iss: 'x', aud: ['y'] }, 'ok')
demand('audience in an array', { ...both, aud: ['x', 'presenced'] }, 'ok')
demand('audience in another array', { ...both, aud: ['x', 'presence'] }, 'audience')
demand('no audience', { iss }, 'audience')
demand('audience: empty array', { iss, aud: [] }, 'audience')
demand('audience: a letter less', { iss, aud: 'presence' }, 'audience')
demand('audience: a letter more', { iss, aud: 'presenced2' }, 'audience')
demand('audience: a list in one text', { iss, aud: 'x presenced' }, 'audience')
demand('audience: a number among them', { iss, aud: ['presenced', 1] }, 'malformed')
demand('audience: an array within', { iss, aud: [['presenced']] }, 'malformed')
demand('audience: an object', { iss, aud: { presenced: 1 } }, 'malformed')
demand('audience: null', { iss, aud: null }, 'malformed')
demand('azp is no audience', { iss, azp: 'presenced' }, 'audience')
demand('client is azp', { azp: 'web' }, 'ok', 'CLIENT')
demand('client is in aud', { aud: ['account', 'web'] }, 'ok', 'CLIENT')
demand('client is aud', { aud: 'web' }, 'ok', 'CLIENT')
demand('another client', { azp: 'admin-cli', aud: 'account' }, 'audience', 'CLIENT')
demand('no client', {}, 'audience', 'CLIENT')
demand('client_id is no azp', { client_id: 'web' }, 'audience', 'CLIENT')
demand('azp is an array', { azp: ['web'] }, 'malformed', 'CLIENT')
row('T11', 'no sub', H, hs({ exp: NOW + 1 }), 'subject')
for (const [name, sub, want] of [['empty', '', 'subject'], ['a number', 1, 'subject'], ['null', null, 'subject'], ['1 KiB', 'a'.repeat(1024), 'subject'],
  ['129 bytes', 'a'.repeat(129), 'subject'], ['128 bytes', 'a'.repeat(128), 'ok'], ['with NUL', 'a\u0000', 'subject'],
  ['with a newline', 'a\nb', 'subject'], ['with DEL', 'a\u007f', 'subject'], ['with C1', 'a\u0085', 'subject'], ['of other letters', 'Ünïcode 漢字 🎈', 'ok']])
  at('T11', 'sub is ' + name, { sub }, want)
row('T11', 'a lone surrogate in sub', H, hs('{"exp":1800000000,"sub":"\\ud800"}'), 'malformed')
row('J7', 'sub twice, one escaped', H, hs('{"exp":1800000000,"sub":"a","s\\u0075b":"b"}'), 'malformed')
for (const [name, p] of [['an array', '[]'], ['a text', '"x"'], ['no JSON', 'Test'], ['a byte', 'A'], ['zeros', '\u0000'.repeat(8)], ['cut', '{"sub":"a"'],
  ['followed by more', '{"exp":1800000000,"sub":"a"}x'], ['a token (nested)', hm]])
  row('JWS 259', 'payload is ' + name, H, hs(p), 'malformed')
row('T18', 'a token of 8192 bytes', H, (() => {
  for (let pad = 5900; ; pad++) { const t = hs({ ...good, pad: 'x'.repeat(pad) }); if (t.length >= 8192) return t }
})(), 'ok')
row('T18', 'a token of 8193 bytes', H, hs({ ...good, pad: 'x'.repeat(6200) }), 'malformed')

// ---------------------------------------------------------------- keys
const sets = [] // [clause, name, text, want]
const set = (clause, name, keys, want) => sets.push([clause, name, typeof keys === 'string' ? keys : json({ keys }), want])
const rsaJwk = jwk(rsa, { kid: 'r' }), ecJwk = jwk(ec, { kid: 'e' })
const number = (v) => { const h = v.toString(16); return b64(Buffer.from(h.length % 2 ? '0' + h : h, 'hex')) }
const random = (bits) => (1n << BigInt(bits - 1)) | BigInt('0x' + crypto.randomBytes(bits / 8).toString('hex')) >> 1n | 1n
const primes = [...Array(168).keys()].filter((p) => p > 2 && [...Array(p).keys()].slice(2).every((d) => p % d))
const primorial = primes.reduce((a, p) => a * BigInt(p), 1n)
const power = (b, e, m) => { let r = 1n; for (; e; e >>= 1n, b = b * b % m) if (e & 1n) r = r * b % m; return r }
let roca = power(65537n, 987654321n, primorial) // what RSALib's moduli look like: a power of 65537 modulo small primes
roca += primorial * ((1n << 2047n) / primorial + 12345n)
if (!(roca & 1n)) roca += primorial
const keycloak = { ...rsaJwk, alg: 'RS256', use: 'sig', x5c: ['MIIC'], x5t: 'x', 'x5t#S256': 'y' }
set('T6', 'RSA and EC', [rsaJwk, ecJwk], 'RS256 r, ES256 e, over 0')
set('T6', 'as Keycloak publishes them', [{ ...jwk(rsa2), kid: 'enc', use: 'enc', alg: 'RSA-OAEP', x5c: ['MIIC'] }, keycloak], 'RS256 r, over 1')
set('T6', 'use sig and key_ops verify', [{ ...ecJwk, use: 'sig', key_ops: ['verify'] }], 'ES256 e, over 0')
set('T6', 'members nobody knows', [{ ...ecJwk, foo: [1, { a: null }], ext: true }], 'ES256 e, over 0')
set('T6', 'members beside keys', `{"keys":[${json(ecJwk)}],"next":"http://x/"}`, 'ES256 e, over 0')
set('T6', 'alg given', [{ ...rsaJwk, alg: 'RS256' }, { ...ecJwk, alg: 'ES256' }], 'RS256 r, ES256 e, over 0')
const bad = (clause, name, key) => set(clause, name, [key, ecJwk], 'ES256 e, over 1')
const badEc = (clause, name, key) => set(clause, name, [rsaJwk, key], 'RS256 r, over 1')
for (const alg of ['RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'HS256', 'none', 'RSA-OAEP', 'RSA1_5', '', 'rs256', 1, null, ['RS256']])
  bad('JWK 19', `RSA with alg ${json(alg)}`, { ...rsaJwk, alg })
for (const alg of ['ES384', 'ES512', 'ES521', 'ES224', 'ES256K', 'RS256', 'HS256', 'ECDH-ES', 'none', 7])
  badEc('JWK 19', `EC with alg ${json(alg)}`, { ...ecJwk, alg })
for (const use of ['enc', 'SIG', '', 1, null, ['sig']]) bad('JWK 6', `use ${json(use)}`, { ...rsaJwk, use })
for (const ops of [['sign'], ['encrypt'], [], ['verify', 'verify'], ['verify', 1], ['Verify'], ['sign, verify'], 'verify', null, { verify: 1 }])
  bad('JWS 355', `key_ops ${json(ops)}`, { ...rsaJwk, key_ops: ops })
bad('T6', 'key_ops of 17', { ...rsaJwk, key_ops: ['verify', ...Array(16).keys()].map(String) })
set('T6', 'key_ops of 16', [{ ...ecJwk, key_ops: ['verify', ...Array(15).keys()].map(String) }], 'ES256 e, over 0')
set('JWS 349', 'key_ops sign and verify', [{ ...ecJwk, key_ops: ['sign', 'verify'] }], 'ES256 e, over 0')
bad('JWK 6', 'use sig, key_ops encrypt', { ...rsaJwk, use: 'sig', key_ops: ['encrypt'] })
bad('JWK 21', 'use enc, key_ops verify', { ...rsaJwk, use: 'enc', key_ops: ['verify'] })
// T4, T5: RSA
for (const [name, e] of [['1', 'AQ'], ['1, four bytes', 'AAAAAQ'], ['0', 'AA'], ['empty', ''], ['3', 'Aw'], ['17', 'EQ'], ['257', 'AQE'], ['65535', '__8'],
  ['65536', 'AQAA'], ['65538', 'AQAC'], ['65537 with a zero in front', 'AAEAAQ'], ['65537 with padding', 'AQAB='], ['nine bytes', b64(Buffer.alloc(9, 1))], ['a number', 65537]])
  bad('T4', `e is ${name}`, { ...rsaJwk, e })
for (const [name, e] of [['65539', 'AQAD'], ['8 bytes', b64(Buffer.alloc(8, 1))]])
  set('T4', `e is ${name}`, [{ ...rsaJwk, e }], 'RS256 r, over 0')
bad('T4', 'no e', { ...rsaJwk, e: undefined })
const nBytes = Buffer.from(rsaJwk.n, 'base64url')
for (const [name, n_] of [['1024 bits', number(random(1024))], ['2047 bits', number(random(2048) >> 1n | 1n)], ['2040 bits', number(random(2040))],
  ['4104 bits', number(random(4104))], ['8192 bits', number(random(8192))], ['even', number(random(2048) - 1n)], ['empty', ''], ['0', 'AA'], ['1', 'AQ'],
  ['with a zero in front', b64(Buffer.concat([Buffer.alloc(1), nBytes]))], ['2047 bits and a zero', b64(Buffer.concat([Buffer.alloc(1), nBytes.subarray(1)]))],
  ['padded', nBytes.toString('base64').replace(/\+/g, '-').replace(/\//g, '_')], ['not base64url', nBytes.toString('base64') + '+'],
  ['with a newline', rsaJwk.n + '\n'], ['with unused bits', rsaJwk.n.slice(0, -1) + String.fromCharCode(rsaJwk.n.charCodeAt(rsaJwk.n.length - 1) + 1)],
  ['a number', 7], ['of CVE-2017-15361', number(roca)]])
  bad(name.startsWith('of') ? 'JWK 7' : 'T5', `n is ${name}`, { ...rsaJwk, n: n_ })
bad('T5', 'no n', { ...rsaJwk, n: undefined })
for (const bits of [2048, 2056, 3072, 4096]) set('T5', `n of ${bits} bits`, [{ ...rsaJwk, n: number(random(bits)) }], 'RS256 r, over 0')
bad('jwk.h', 'a private key', { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'p', d: 'AQ', p: 'AQ', q: 'AQ', dp: 'AQ', dq: 'AQ', qi: 'AQ' })
// EC
const xy = (x, y) => ({ ...ecJwk, x: b64(x), y: b64(y) })
const x = Buffer.from(ecJwk.x, 'base64url'), y = Buffer.from(ecJwk.y, 'base64url')
const shortened = (m) => {
  for (;;) {
    const k = jwk(pair('ec', { namedCurve: 'P-256' }), { kid: 'e' }), b = Buffer.from(k[m], 'base64url')
    if (b[31] === 0) return { ...k, [m]: b64(b.subarray(0, 31)) }
  }
}
const last = (b) => b.map((v, i) => (i === 31 ? v ^ 1 : v))
for (const [name, k] of [['off the curve', xy(x, last(y))], ['x is another', xy(last(x), y)], ['0, 0', xy(Buffer.alloc(32), Buffer.alloc(32))],
  ['x and y the other way round', xy(y, x)], ['x = p', xy(bytesOf(field, 32), y)], ['x = 2^256 - 1', xy(Buffer.alloc(32, 255), y)],
  ['x of 31 bytes', xy(x.subarray(1), y)], ['y of 31 bytes', xy(x, y.subarray(1))], ['x with a zero in front', xy(Buffer.concat([Buffer.alloc(1), x]), y)],
  ['y of 33 bytes', xy(x, Buffer.concat([y, Buffer.alloc(1)]))], ['x without its last byte, a zero', shortened('x')], ['y without its last byte, a zero', shortened('y')], ['x empty', xy('', y)], ['no x', { ...ecJwk, x: undefined }], ['no y', { ...ecJwk, y: undefined }],
  ['y is null', { ...ecJwk, y: null }], ['x padded', { ...ecJwk, x: ecJwk.x + '=' }], ['x with a blank', { ...ecJwk, x: ' ' + ecJwk.x }],
  ['no crv', { ...ecJwk, crv: undefined }], ['crv P-384', { ...ecJwk, crv: 'P-384' }], ['crv secp256k1', { ...ecJwk, crv: 'secp256k1' }], ['crv p-256', { ...ecJwk, crv: 'p-256' }],
  ['a key of P-384', jwk(p384, { kid: 'e' })], ['a key of P-384 that says P-256', { ...jwk(p384, { kid: 'e' }), crv: 'P-256' }],
  ['a private key', { ...ecJwk, d: b64(Buffer.alloc(32, 1)) }]])
  badEc('JWK 22', 'EC: ' + name, k)
// kty
bad('JWK 1', 'kty oct', { kty: 'oct', kid: 'o', k: b64(secret), alg: 'HS256', use: 'sig' })
bad('JWK 25', 'kty oct for AES', { kty: 'oct', kid: 'o', k: b64(secret), alg: 'A256GCM' })
bad('JWK 24', 'EC numbers that say RSA', { ...ecJwk, kid: 'o', kty: 'RSA' })
badEc('JWK 24', 'RSA numbers that say EC', { ...rsaJwk, kid: 'o', kty: 'EC' })
bad('T6', 'kty OKP', { ...jwk(pair('ed25519')), kid: 'o' })
for (const kty of [undefined, 1, null, '', 'rsa', 'EC2']) bad('T6', `kty ${json(kty) ?? 'missing'}`, { ...rsaJwk, kty })
// kid
for (const [name, kid] of [['missing', undefined], ['empty', ''], ['a number', 1], ['null', null], ['129 bytes', 'k'.repeat(129)]]) bad('T6', 'kid is ' + name, { ...rsaJwk, kid })
set('T6', 'kid of 128 bytes', [{ ...ecJwk, kid: 'k'.repeat(128) }], `ES256 ${'k'.repeat(128)}, over 0`)
const more = (n_, f) => [...Array(n_).keys()].map((i) => ({ ...ecJwk, kid: 'k' + i, ...f?.(i) }))
set('JWK 4', 'two of a kid: both go', [{ ...ecJwk, kid: 'd' }, { ...jwk(ec2), kid: 'd' }, rsaJwk], 'RS256 r, over 2')
set('JWK 4', 'three of a kid: all go', [{ ...ecJwk, kid: 'd' }, { ...jwk(ec2), kid: 'd' }, rsaJwk, { ...ecJwk, kid: 'd' }], 'RS256 r, over 3')
set('JWK 4', 'two of a kid, RSA and EC', [{ ...ecJwk, kid: 'd' }, { ...rsaJwk, kid: 'd' }, ecJwk], 'ES256 e, over 2')
set('JWK 4', 'two of a kid, one escaped', `{"keys":[${json(ecJwk)},${json(jwk(ec2, { kid: 'X' })).replace('"X"', '"\\u0065"')},${json(rsaJwk)}]}`, 'RS256 r, over 2')
set('JWK 4', 'two of a kid, one weak: both go', [{ ...rsaJwk, kid: 'e', e: 'AQ' }, ecJwk, rsaJwk], 'RS256 r, over 2')
set('JWK 4', 'two of a kid, one for encryption: the other stays', [{ ...rsaJwk, kid: 'e', use: 'enc' }, ecJwk], 'ES256 e, over 1')
set('JWK 4', 'the same key twice', [ecJwk, ecJwk], 'no keys')
set('T6', '32 keys', more(32), more(32).map((k) => 'ES256 ' + k.kid).join(', ') + ', over 0')
set('T6', '40 keys', more(40), more(32).map((k) => 'ES256 ' + k.kid).join(', ') + ', over 8')
set('T6', '60 keys, every other for encryption', more(60, (i) => ({ use: i % 2 ? 'sig' : 'enc' })),
  more(60).filter((k, i) => i % 2).map((k) => 'ES256 ' + k.kid).join(', ') + ', over 30')
set('T6', 'a good key behind 64 bad ones is not found', [...more(64, () => ({ use: 'enc' })), ecJwk], 'no keys')
set('T6', 'a good key behind 63 bad ones is', [...more(63, () => ({ use: 'enc' })), ecJwk], 'ES256 e, over 63')
set('T6', 'a good key, 63 bad ones, and one beyond those that are looked at', [ecJwk, ...more(63, () => ({ use: 'enc' })), rsaJwk], 'ES256 e, over 64')
// what is no set
for (const [name, text] of [['an object without keys', '{}'], ['keys is null', '{"keys":null}'], ['keys is an object', '{"keys":{}}'], ['an array', `[${json(ecJwk)}]`],
  ['a key alone', json(ecJwk)], ['a text', '"keys"'], ['Keys', `{"Keys":[${json(ecJwk)}]}`]]) set('T14', name, text, 'no set')
set('T14', 'empty keys', [], 'no keys')
set('T14', 'keys that are no objects', [1, null, 'x', [], [ecJwk], {}], 'no keys')
set('T14', 'keys that are no objects, then one', [1, null, 'x', [], [ecJwk], {}, ecJwk], 'ES256 e, over 6')

// PEM, by openssl
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jwt-vectors-'))
const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] }).toString()
const pems = []
const pem = (clause, name, text, want) => pems.push([clause, name, text, want])
openssl('genrsa', '-out', 'r.key', '2048'); openssl('genrsa', '-out', 'weak.key', '1024'); openssl('genrsa', '-3', '-out', 'e3.key', '2048')
openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'e.key'); openssl('ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', 'p384.key')
openssl('genpkey', '-algorithm', 'ed25519', '-out', 'ed.key'); openssl('genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'pss.key')
const spki = (f, ...a) => openssl('pkey', '-in', f, '-pubout', ...a)
const cert = (f) => openssl('req', '-new', '-x509', '-key', f, '-subj', '/CN=test', '-days', '1')
const rsaPem = spki('r.key'), ecPem = spki('e.key'), rsa1Pem = openssl('rsa', '-in', 'r.key', '-RSAPublicKey_out')
const bits = (n_) => crypto.createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: number(random(n_)), e: 'AQAB' } }).export({ format: 'pem', type: 'spki' })
pem('RFC 5280 4.1.2.7', 'RSA, PUBLIC KEY', rsaPem, 'RS256, over 0')
pem('RFC 8017 A.1.1', 'RSA PUBLIC KEY', rsa1Pem, 'RS256, over 0')
pem('RFC 5480 2.1', 'EC, PUBLIC KEY', ecPem, 'ES256, over 0')
pem('T5', 'RSA of 4096 bits', bits(4096), 'RS256, over 0')
pem('RFC 5280', 'RSA certificate', cert('r.key'), 'RS256, over 0')
pem('RFC 5280', 'EC certificate', cert('e.key'), 'ES256, over 0')
pem('jwk.h', 'both, with text around', 'hello\n' + rsaPem + 'and\n' + ecPem, 'RS256, ES256, over 0')
pem('jwk.h', 'two RSA keys', rsaPem + pemOf(rsa, 'spki'), 'ambiguous')
pem('jwk.h', 'the same key twice', ecPem + ecPem, 'ambiguous')
pem('jwk.h', 'a good key, then one of another kind', rsaPem + spki('ed.key'), 'unknown')
pem('T5', 'RSA of 1024 bits', spki('weak.key'), 'weak')
pem('T5', 'RSA of 4104 bits', bits(4104), 'weak')
pem('T5', 'RSA of 8192 bits', bits(8192), 'weak')
pem('T4', 'e = 3', spki('e3.key'), 'weak')
pem('T4', 'e = 3, certificate', cert('e3.key'), 'weak')
pem('T5', 'RSA certificate of 1024 bits', cert('weak.key'), 'weak')
pem('RFC 5480 2.2', 'EC, compressed point', spki('e.key', '-ec_conv_form', 'compressed'), 'weak')
pem('RFC 5480 2.1', 'EC, curve in full', spki('e.key', '-ec_param_enc', 'explicit'), 'unknown')
pem('jwk.h', 'P-384', spki('p384.key'), 'unknown')
pem('jwk.h', 'P-384 certificate', cert('p384.key'), 'unknown')
pem('jwk.h', 'Ed25519', spki('ed.key'), 'unknown')
pem('jwk.h', 'Ed25519 certificate', cert('ed.key'), 'unknown')
pem('jwk.h', 'RSA-PSS', spki('pss.key'), 'unknown')
pem('jwk.h', 'other label', rsaPem.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY'), 'unknown')
pem('jwk.h', 'other label, the other way', rsa1Pem.replaceAll('RSA PUBLIC', 'PUBLIC'), 'unknown')
pem('jwk.h', 'a key that says CERTIFICATE', rsaPem.replaceAll('PUBLIC KEY', 'CERTIFICATE'), 'unknown')
// SubjectPublicKeyInfo and RSAPublicKey with something too much, missing, or different
const tlv = (tag, ...parts) => {
  const v = Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'hex') : p)))
  const l = v.length < 128 ? [v.length] : v.length < 256 ? [0x81, v.length] : [0x82, v.length >> 8, v.length & 255]
  return Buffer.concat([Buffer.from([tag, ...l]), v])
}
const armour = (label, der) => `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`
const rsaOid = '06092a864886f70d010101', ecOid = '06072a8648ce3d0201', p256Oid = '06082a8648ce3d030107', zero = '00'
const nDer = tlv(2, zero, nBytes), eDer = '0203010001', rsaKey = (...m) => tlv(0x30, nDer, eDer, ...m)
const info_ = (alg, key, ...m) => armour('PUBLIC KEY', tlv(0x30, tlv(0x30, ...alg), tlv(3, zero, ...key), ...m))
const pointDer = Buffer.concat([Buffer.from([4]), Buffer.from(ecJwk.x, 'base64url'), Buffer.from(ecJwk.y, 'base64url')])
pem('X.690', 'RSA, made by hand', info_([rsaOid, '0500'], [rsaKey()]), 'RS256, over 0')
pem('X.690', 'EC, made by hand', info_([ecOid, p256Oid], [pointDer]), 'ES256, over 0')
pem('X.690', 'RSA PUBLIC KEY, made by hand', armour('RSA PUBLIC KEY', rsaKey()), 'RS256, over 0')
pem('RFC 3279 2.3.1', 'RSA without NULL', info_([rsaOid], [rsaKey()]), 'unknown')
pem('RFC 3279 2.3.1', 'RSA, NULL is not empty', info_([rsaOid, '050100'], [rsaKey()]), 'unknown')
pem('RFC 3279 2.3.1', 'RSA, more behind NULL', info_([rsaOid, '05000500'], [rsaKey()]), 'unknown')
pem('RFC 3279 2.3.1', 'RSA with a curve', info_([rsaOid, p256Oid], [rsaKey()]), 'unknown')
pem('RFC 5280 4.1.2.7', 'more behind the key', info_([rsaOid, '0500'], [rsaKey()], '0500'), 'unknown')
pem('RFC 5280 4.1.2.7', 'more behind all', armour('PUBLIC KEY', Buffer.concat([tlv(0x30, tlv(0x30, ecOid, p256Oid), tlv(3, zero, pointDer)), Buffer.from([0])])), 'unknown')
pem('RFC 8017 A.1.1', 'more behind e', info_([rsaOid, '0500'], [rsaKey('020101')]), 'unknown')
pem('RFC 8017 A.1.1', 'more behind the RSA key', info_([rsaOid, '0500'], [rsaKey(), '0500']), 'unknown')
pem('RFC 8017 A.1.1', 'no e', info_([rsaOid, '0500'], [tlv(0x30, nDer)]), 'unknown')
pem('RFC 8017 A.1.1', 'n is negative', info_([rsaOid, '0500'], [tlv(0x30, tlv(2, nBytes), eDer)]), 'unknown')
pem('RFC 8017 A.1.1', 'n with a zero too many', info_([rsaOid, '0500'], [tlv(0x30, tlv(2, zero, zero, nBytes), eDer)]), 'unknown')
pem('T4', 'e is 0', info_([rsaOid, '0500'], [tlv(0x30, nDer, '020100')]), 'weak')
pem('T4', 'e is 1', info_([rsaOid, '0500'], [tlv(0x30, nDer, '020101')]), 'weak')
pem('RFC 5480 2.1.1', 'EC without a curve', info_([ecOid], [pointDer]), 'unknown')
pem('RFC 5480 2.1.1', 'EC with NULL', info_([ecOid, '0500'], [pointDer]), 'unknown')
pem('RFC 5480 2.1.1', 'EC, more behind the curve', info_([ecOid, p256Oid, '0500'], [pointDer]), 'unknown')
pem('RFC 5480 2.1.1', 'EC, the point of P-256 on secp256k1', info_([ecOid, '06052b8104000a'], [pointDer]), 'unknown')
pem('RFC 5480 2.2', 'EC, off the curve', info_([ecOid, p256Oid], [last(pointDer.map((v) => v))]), 'weak')
pem('RFC 5480 2.2', 'EC, hybrid form', info_([ecOid, p256Oid], [Buffer.from([6 | (pointDer[64] & 1)]), pointDer.subarray(1)]), 'weak')
pem('RFC 5480 2.2', 'EC, the point at infinity', info_([ecOid, p256Oid], [zero]), 'weak')
pem('RFC 5480 2.2', 'EC, no point', info_([ecOid, p256Oid], []), 'weak')
pem('RFC 5480 2.2', 'EC, a byte behind the point', info_([ecOid, p256Oid], [pointDer, zero]), 'weak')
pem('jwk.h', 'a certificate cut', (() => {
  const der = Buffer.from(cert('e.key').replace(/-.*-|\s/g, ''), 'base64').subarray(0, 150)
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
})(), 'unknown')
pem('jwk.h', 'a private key (its middle is zeros)', '-----BEGIN PRIVATE KEY-----\nMIIAAAAA\n-----END PRIVATE KEY-----\n', 'unknown')
pem('jwk.h', 'no newline at the end', ecPem.trimEnd(), 'ES256, over 0')
pem('jwk.h', 'CR LF', ecPem.replace(/\n/g, '\r\n'), 'ES256, over 0')
pem('jwk.h', 'empty', '', 'no PEM')
pem('jwk.h', 'a JWK', json(ecJwk), 'no PEM')
pem('jwk.h', 'cut', rsaPem.slice(0, 300), 'no PEM')
pem('jwk.h', 'good, then cut', ecPem + rsaPem.slice(0, 300), 'no PEM')
pem('jwk.h', 'an object of more than 4 KiB', `-----BEGIN PUBLIC KEY-----\n${Buffer.alloc(4098, 0x30).toString('base64')}\n-----END PUBLIC KEY-----\n`, 'no PEM')
fs.rmSync(dir, { recursive: true })

// A forgery that e = 1 lets pass: the signature is the block itself.
const forged = token({ alg: 'RS256', kid: 'r' }, good, (s) => emsa(info(sha256(s))))

// ---------------------------------------------------------------- C
const quote = (s) => '"' + [...Buffer.from(s)].map((c) => c === 0x22 || c === 0x5c ? '\\' + String.fromCharCode(c)
  : c === 0x0a ? '\\n' : c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : '\\' + c.toString(8).padStart(3, '0')).join('').replace(/\?\?/g, '?\\?') + '"'
const head = (name) => `/* Made by \`node test/wire/jwt_vectors.mjs\`, which says how. Public keys, and a secret for tests only. */\n` +
  `#ifndef TEST_WIRE_${name}_H\n#define TEST_WIRE_${name}_H\n\n`
const table = (type, name, fields, all) => `static const struct ${type} {\n\tconst char *${fields};\n} ${name}[] = {\n` +
  all.map((r) => `\t{ ${r.map(quote).join(', ')} },\n`).join('') + '};\n\n'
const text = (name, value) => `static const char ${name}[] = ${quote(value)};\n`
fs.writeFileSync(path.join(here, 'jwt_vectors.h'), head('JWT_VECTORS') +
  text('jwt_secret', secret) + text('jwt_rsa_pem', pemOf(rsa, 'spki')) + text('jwt_rsa4096_pem', pemOf(rsa4096, 'spki')) + text('jwt_ec_pem', pemOf(ec, 'spki')) +
  text('jwt_set', json({ keys: [jwk(rsa, { kid: 'rsa-1' }), jwk(ec, { kid: 'ec-1' }), jwk(ec2, { kid: 'k'.repeat(128) })] })) +
  '\n' + table('jwt_row', 'jwt_rows', 'clause, *name, *keys, *policy, *token, *want', rows) + '#endif\n')
fs.writeFileSync(path.join(here, 'jwk_vectors.h'), head('JWK_VECTORS') +
  text('jwk_forged', forged) + text('jwk_forged_n', rsaJwk.n) + '\n' +
  table('jwk_row', 'jwk_sets', 'clause, *name, *text, *want', sets) +
  table('jwk_pem_row', 'jwk_pems', 'clause, *name, *text, *want', pems) + '#endif\n')
