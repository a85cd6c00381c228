// A gateway of its own and a browser that records every fault, for the tests of the explorer; and what is asked of every
// page: that keys reach it all and that axe-core finds nothing serious.
//
// BILLING_GATEWAY is the path of the gateway's binary, CHROMIUM that of the browser (default /usr/bin/chromium). Nothing
// is skipped: what is missing fails. Each page is opened with every fault recorded (console errors, policy violations,
// failed or foreign requests) and must end without one.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const START_TIMEOUT_MS = 60_000; // Migrations and demo data, on a slow machine.
const STOP_TIMEOUT_MS = 5_000; // The gateway's promise.
const STEP_TIMEOUT_MS = 20_000; // One step in the browser.
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TABS_MAX = 150; // Presses of Tab until every control must have had the focus.
// Serious findings inside GraphiQL and Monaco that no setting or style of ours mends.
const ACCEPTED = [
  { id: 'nested-interactive', within: '.graphiql-tab', reason: 'GraphiQL puts two buttons, choose and close, into what it calls a tab; both are reached by Tab' },
  { id: 'color-contrast', within: '.view-line', reason: 'the dark theme of Monaco writes comments with a contrast of 3.6, under a class that changes with the theme' },
];
const BROWSER_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export const WIDTHS_PX = [1280, 390];

// How the two pages are played, and what is different about them.
export const FULL = {
  env: {},
  choose: (page, index) => page.getByRole('tab').nth(index).click(),
  play: (page) => page.getByRole('button', { name: /^execute query/i }),
  // GraphiQL keeps its editor, Monaco, at hand under this name; the pane itself holds only the lines in view.
  answer: () => globalThis.__MONACO?.editor.getModels().find(({ uri }) => uri.path.endsWith('response.json'))?.getValue(),
  pane: '.result-window .view-lines',
  styles: "'self' 'unsafe-inline'",
};
export const PLAIN = {
  env: { BILLING_GATEWAY_EXPLORER: 'fallback' },
  choose: (page, index) => page.getByLabel('Example').selectOption(String(index)),
  play: (page) => page.getByRole('button', { name: /play/i }),
  answer: () => document.getElementById('answer').textContent,
  pane: '#answer',
  styles: "'self'",
};

let browser;
before(async () => {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
});
after(() => browser?.close());

/** The secret of a server that is no demo. */
const SECRET = { BILLING_JWT_SECRET: 'for the tests of the explorer only' };

/** Starts a demo gateway on a free port and a throw-away database. `stop` asserts that it ends in time. */
export function startGateway(env) {
  return start(env, ['--demo'], async () => {});
}

/** Starts a gateway that is no demo, the same way. `sign` makes a token for it. */
export async function startPlainGateway(env) {
  const settings = { ...env, ...SECRET };
  const run = async (args) => (await promisify(execFile)(binary(), args, { env: { ...process.env, ...settings } })).stdout.trim();
  const gateway = await start(settings, [], (database) => run(['migrate', 'up', '--database-url', database]));
  return { ...gateway, sign: () => run(['token', 'sign', '--kind', 'merchant', '--tenant', 'ten_1', '--scope', 'invoices:read']) };
}

function binary() {
  const path = process.env.BILLING_GATEWAY;
  assert.ok(path, 'BILLING_GATEWAY must be the path of the gateway: cargo build, then BILLING_GATEWAY=$PWD/target/debug/billing-gateway');
  return path;
}

async function start(env, flags, prepare) {
  const directory = await mkdtemp(join(tmpdir(), 'billing-gateway-explorer-'));
  const database = `sqlite://${directory}/demo.db`;
  await prepare(database);
  const args = ['serve', ...flags, '--listen', '127.0.0.1:0', '--json', '--database-url', database];
  const child = spawn(binary(), args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit'); // Rejects when the binary cannot be started.
  let log = '';
  child.stderr.on('data', (chunk) => { log = (log + chunk).slice(-4000); });

  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => text),
    exited.then(([code]) => assert.fail(`the gateway ended with ${code} before it was ready: ${log}`)),
    sleep(START_TIMEOUT_MS).then(() => { child.kill('SIGKILL'); assert.fail(`the gateway was not ready in time: ${log}`); }),
  ]);

  async function stop() {
    child.kill('SIGTERM');
    const end = await Promise.race([exited, sleep(STOP_TIMEOUT_MS)]);
    if (!end) child.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
    assert.ok(end, `the gateway must end within ${STOP_TIMEOUT_MS} ms of SIGTERM`);
    assert.deepEqual(end, [0, null], `the gateway must end cleanly after SIGTERM: ${log}`);
  }
  return { url: JSON.parse(line).url, stop };
}

/**
 * Opens the page in a fresh browser profile, runs `story`, and asserts that nothing went wrong or leaked.
 *
 * `config` changes what the server tells the page, `path` is what of its address follows the server's, `setUp` is run
 * in the page before its own scripts, `refused` lets answers be refused with 401, and the rest are options of the
 * browser context.
 */
export async function visit(gateway, { width = 1280, config: change, path = '', setUp, refused, ...options }, story) {
  const context = await browser.newContext({ viewport: { width, height: 844 }, ...options });
  context.setDefaultTimeout(STEP_TIMEOUT_MS);
  try {
    const { faults, authorizations } = record(context, new URL(gateway.url).origin);
    const page = await context.newPage();
    await context.addInitScript(() => addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    }));
    const config = await (await fetch(new URL('explorer/config.json', gateway.url))).json();
    if (change) await page.route('**/explorer/config.json', (route) => route.fulfill({ json: { ...config, ...change } }));

    if (setUp) await page.addInitScript(setUp);
    await page.goto(new URL(path, gateway.url).href);
    await story(page, { config, authorizations });
    assert.deepEqual(faults.filter((fault) => !(refused && /\b401\b/.test(fault))), []);
    await assertNoLeak(page, config.tokens);
  } finally {
    await context.close();
  }
}

/** Collects what must not happen on any page of a context, and the Authorization headers of their requests. */
function record(context, origin) {
  const faults = [];
  const authorizations = [];
  context.on('console', (message) => { if (message.type() === 'error') faults.push(`console: ${message.text()}`); });
  context.on('weberror', (error) => faults.push(`exception: ${error.error().message}`));
  context.on('response', (response) => { if (response.status() >= 400) faults.push(`HTTP ${response.status()}: ${response.url()}`); });
  context.on('request', (request) => {
    if (new URL(request.url()).origin !== origin && !request.url().startsWith('data:')) faults.push(`foreign request: ${request.url()}`);
    const { authorization } = request.headers();
    if (authorization) authorizations.push(authorization);
  });
  return { faults, authorizations };
}

export async function playAndRead(page, kind) {
  const play = kind.play(page);
  await play.waitFor();
  const answered = page.waitForResponse((response) => {
    const request = response.request();
    return request.method() === 'POST' && !request.postData().includes('IntrospectionQuery');
  });
  await play.click();
  await answered;
  const text = await page.waitForFunction(kind.answer);
  return JSON.parse(await text.jsonValue());
}

/** Nothing is kept but in sessionStorage, where GraphiQL's part holds no token, and neither does the address. */
async function assertNoLeak(page, tokens) {
  const { lasting, seen } = await page.evaluate(async () => {
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    const workers = (await navigator.serviceWorker?.getRegistrations()) ?? [];
    const graphiql = Object.entries(sessionStorage).filter(([key]) => key.startsWith('graphiql:'));
    return {
      lasting: [...Object.keys(localStorage), ...databases, ...workers, ...(await globalThis.caches?.keys() ?? []), ...document.cookie],
      seen: JSON.stringify([location.href, history.state, graphiql]),
    };
  });
  assert.deepEqual(lasting, []);
  for (const { name, token } of tokens) assert.ok(!seen.includes(token), `the token of ${name} stays out of GraphiQL's storage and the address`);
}

/** The visible controls that never get the focus by Tab. Inside an editor Enter leads, so those are left out. */
export async function unreached(page) {
  await page.evaluate(() => { document.activeElement?.blur(); globalThis.reached = new Set(); });
  for (let presses = 0; presses < TABS_MAX; presses += 1) {
    await page.keyboard.press('Tab');
    await page.evaluate(() => globalThis.reached.add(document.activeElement));
  }
  return page.evaluate(() => [...document.querySelectorAll('button, select, input, textarea, a[href], [role=button]')]
    .filter((control) => control.checkVisibility({ visibilityProperty: true }) && !control.disabled && !control.closest('.monaco-editor'))
    .filter((control) => !globalThis.reached.has(control))
    .map((control) => control.outerHTML.slice(0, 200)));
}

/** What axe-core finds that is serious or critical and not accepted, one text for each element. */
export async function findings(page) {
  await page.evaluate(AXE);
  return page.evaluate(async (accepted) => {
    const { violations } = await globalThis.axe.run(document, { preload: false, resultTypes: ['violations'], elementRef: true });
    const isAccepted = (rule, element) => accepted.some(({ id, within }) => id === rule && element.closest(within));
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes
        .filter(({ element }) => !isAccepted(id, element))
        .map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
  }, ACCEPTED);
}

/** Chooses the first token that may read invoices and no payments. */
export async function chooseWithoutPayments(page, { tokens }) {
  const poor = tokens.find(({ token }) => {
    const scopes = scopesOf(token);
    return scopes.includes('invoices:read') && !scopes.includes('payments:read');
  });
  assert.ok(poor, 'the demo offers a token with invoices:read and without payments:read');
  await page.getByLabel('Ask as').selectOption(poor.name);
  return poor;
}

function scopesOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).scope.split(' ');
}

function sleep(duration_ms) {
  return new Promise((resolve) => { setTimeout(resolve, duration_ms).unref(); });
}
