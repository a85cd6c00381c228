// A gateway of its own and a browser that records every fault, for the tests of the explorer.
//
// BILLING_GATEWAY is the path of the gateway's binary, CHROMIUM that of the browser (default /usr/bin/chromium). Nothing
// is skipped: what is missing fails. Each page is opened with every fault recorded (console errors, policy violations,
// failed or foreign requests) and must end without one.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

const START_TIMEOUT_MS = 60_000; // Migrations and demo data, on a slow machine.
const STOP_TIMEOUT_MS = 5_000; // The gateway's promise.
const STEP_TIMEOUT_MS = 20_000; // One step in the browser.
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

/** Starts a demo gateway on a free port and a throw-away database. `stop` asserts that it ends in time. */
export async function startGateway(env) {
  const binary = process.env.BILLING_GATEWAY;
  assert.ok(binary, 'BILLING_GATEWAY must be the path of the gateway: cargo build, then BILLING_GATEWAY=$PWD/target/debug/billing-gateway');
  const directory = await mkdtemp(join(tmpdir(), 'billing-gateway-explorer-'));
  const args = ['serve', '--demo', '--listen', '127.0.0.1:0', '--json', '--database-url', `sqlite://${directory}/demo.db`];
  const child = spawn(binary, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
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
 * `config` changes what the server tells the page, `fragment` is the part of the address behind `#`, `setUp` is run in
 * the page before its own scripts, and the rest are options of the browser context.
 */
export async function visit(gateway, kind, { width = 1280, config: change, fragment = '', setUp, ...options }, story) {
  const context = await browser.newContext({ viewport: { width, height: 844 }, ...options });
  context.setDefaultTimeout(STEP_TIMEOUT_MS);
  try {
    const page = await context.newPage();
    const { faults, authorizations } = record(page, new URL(gateway.url).origin);
    await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    }));
    const config = await (await fetch(new URL('explorer/config.json', gateway.url))).json();
    if (change) await page.route('**/explorer/config.json', (route) => route.fulfill({ json: { ...config, ...change } }));

    if (setUp) await page.addInitScript(setUp);
    await page.goto(new URL(fragment, gateway.url).href);
    await story(page, { config, authorizations });
    assert.deepEqual(faults, []);
    await assertNoLeak(page, config.tokens);
  } finally {
    await context.close();
  }
}

/** Collects what must not happen on a page, and the Authorization headers of its requests. */
function record(page, origin) {
  const faults = [];
  const authorizations = [];
  page.on('console', (message) => { if (message.type() === 'error') faults.push(`console: ${message.text()}`); });
  page.on('pageerror', (error) => faults.push(`exception: ${error.message}`));
  page.on('response', (response) => { if (response.status() >= 400) faults.push(`HTTP ${response.status()}: ${response.url()}`); });
  page.on('request', (request) => {
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

async function assertNoLeak(page, tokens) {
  const kept = await page.evaluate(() => {
    const graphiql = Object.entries(sessionStorage).filter(([key]) => key.startsWith('graphiql:'));
    return JSON.stringify([Object.entries(localStorage), document.cookie, location.href, graphiql]);
  });
  for (const { name, token } of tokens) assert.ok(!kept.includes(token), `the token of ${name} stays out of storage and address`);
}

export function scopesOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).scope.split(' ');
}

function sleep(duration_ms) {
  return new Promise((resolve) => { setTimeout(resolve, duration_ms).unref(); });
}
