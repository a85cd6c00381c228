// The explorer in a real browser, against the real gateway: what a visitor sees when they press play.
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
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';

const START_TIMEOUT_MS = 60_000; // Migrations and demo data, on a slow machine.
const STOP_TIMEOUT_MS = 5_000; // The gateway's promise.
const STEP_TIMEOUT_MS = 20_000; // One step in the browser.
const WIDTHS_PX = [1280, 390];
const BROWSER_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

// How the two pages are played, and what is different about them.
const FULL = {
  env: {},
  choose: (page, index) => page.getByRole('tab').nth(index).click(),
  play: (page) => page.getByRole('button', { name: /^execute query/i }),
  // GraphiQL keeps its editor, Monaco, at hand under this name; the pane itself holds only the lines in view.
  answer: () => globalThis.__MONACO?.editor.getModels().find(({ uri }) => uri.path.endsWith('response.json'))?.getValue(),
  pane: '.result-window .view-lines',
  styles: "'self' 'unsafe-inline'",
};
const PLAIN = {
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

for (const [title, kind] of [['the explorer', FULL], ['the plain page', PLAIN]]) {
  describe(title, () => {
    let gateway;
    before(async () => { gateway = await startGateway(kind.env); });
    after(() => gateway?.stop());

    for (const width of WIDTHS_PX) {
      test(`shows the bill when play is pressed at ${width} px`, async () => {
        await visit(gateway, kind, { width }, async (page) => {
          const answer = await playAndRead(page, kind);
          assertBill(answer);
          await assertLayout(page, kind, width);
          if (kind === FULL) assert.ok(page.workers().length > 0, 'the editor runs its workers');
        });
      });
    }

    test('answers every example without an error', async () => {
      await visit(gateway, kind, {}, async (page, { config }) => {
        await kind.play(page).waitFor();
        for (const [index, { name }] of config.examples.entries()) {
          await kind.choose(page, index);
          const { data, errors } = await playAndRead(page, kind);
          assert.ok(data && !errors, `${name}: ${JSON.stringify(errors)}`);
        }
      });
    });

    test('shows FORBIDDEN and the missing scope with a token that may not read payments', async () => {
      await visit(gateway, kind, {}, async (page, { config, authorizations }) => {
        const poor = config.tokens.find(({ token }) => {
          const scopes = scopesOf(token);
          return scopes.includes('invoices:read') && !scopes.includes('payments:read');
        });
        assert.ok(poor, 'the demo offers a token with invoices:read and without payments:read');
        await page.getByLabel('Ask as').selectOption(poor.name);
        const answer = await playAndRead(page, kind);
        const forbidden = answer.errors?.filter(({ extensions }) => extensions?.code === 'FORBIDDEN') ?? [];
        assert.ok(
          forbidden.some(({ extensions }) => extensions.requiredScope === 'payments:read'),
          `FORBIDDEN with requiredScope payments:read in ${JSON.stringify(answer).slice(0, 2000)}`,
        );
        const sent = authorizations.filter((value) => value === `Bearer ${poor.token}`).length;
        assert.ok(sent >= (kind === FULL ? 2 : 1), 'the query, and in GraphiQL the schema too, used the chosen token');
      });
    });

    test('asks for a token when the server offers none, and keeps it in the session only', async () => {
      await visit(gateway, kind, { config: { demo: false, tokens: [] } }, async (page, { config }) => {
        assert.equal(await page.getByLabel('Ask as').isVisible(), false);
        await page.getByRole('textbox', { name: 'Token' }).fill(`Bearer ${config.tokens[0].token}`);
        assertBill(await playAndRead(page, kind));
        await page.reload();
        assertBill(await playAndRead(page, kind));
      });
    });

    if (kind === FULL) test('marks a field that the schema does not have', async () => {
      await visit(gateway, kind, {}, async (page) => {
        await kind.play(page).waitFor();
        await page.evaluate(() => globalThis.__MONACO.editor.getModels()
          .find(({ uri }) => uri.path.endsWith('operation.graphql')).setValue('{ noSuchField }'));
        await page.waitForFunction(() => globalThis.__MONACO.editor.getModelMarkers({})
          .some(({ message }) => message.includes('noSuchField')));
      });
    });

    test('is served with a policy that allows its own scripts only', async () => {
      const { headers } = await fetch(gateway.url);
      const policy = Object.fromEntries(
        headers.get('content-security-policy').split(';').map((part) => part.trim().split(/ (.*)/).slice(0, 2)),
      );
      for (const name of ['default-src', 'base-uri', 'form-action', 'frame-ancestors']) assert.equal(policy[name], "'none'", name);
      for (const name of ['script-src', 'connect-src']) assert.equal(policy[name], "'self'", name);
      assert.equal(policy['style-src'], kind.styles);
    });
  });
}

/** Starts a demo gateway on a free port and a throw-away database. `stop` asserts that it ends in time. */
async function startGateway(env) {
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
    assert.equal(end[0], 0, `the gateway must end cleanly after SIGTERM: ${log}`);
  }
  return { url: JSON.parse(line).url, stop };
}

/** Opens the page in a fresh browser profile, runs `story`, and asserts that nothing went wrong or leaked. */
async function visit(gateway, kind, { width = 1280, config: change }, story) {
  const context = await browser.newContext({ viewport: { width, height: 844 } });
  context.setDefaultTimeout(STEP_TIMEOUT_MS);
  try {
    const page = await context.newPage();
    const { faults, authorizations } = record(page, new URL(gateway.url).origin);
    await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    }));
    const config = await (await fetch(new URL('explorer/config.json', gateway.url))).json();
    if (change) await page.route('**/explorer/config.json', (route) => route.fulfill({ json: { ...config, ...change } }));

    await page.goto(gateway.url);
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

async function playAndRead(page, kind) {
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

function assertBill(answer) {
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  const { lineItems } = answer.data.invoice;
  assert.ok(lineItems.length > 0, 'the invoice has line items');
  assert.match(lineItems[0].amount.amount, /^-?\d+(\.\d+)?$/);
}

/** The page fits its width, and the answer is really in view: not only in the document. */
async function assertLayout(page, kind, width) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, 'no sideways scrolling');
  const pane = page.locator(kind.pane);
  await pane.filter({ hasText: '"invoice"' }).waitFor();
  const box = await pane.boundingBox();
  assert.ok(box.width > width / 4 && box.height > 100 && box.x + box.width <= width + 1, `the answer has room: ${JSON.stringify(box)}`);
}

async function assertNoLeak(page, tokens) {
  const kept = await page.evaluate(() => {
    const graphiql = Object.entries(sessionStorage).filter(([key]) => key.startsWith('graphiql:'));
    return JSON.stringify([Object.entries(localStorage), document.cookie, location.href, graphiql]);
  });
  for (const { name, token } of tokens) assert.ok(!kept.includes(token), `the token of ${name} stays out of storage and address`);
}

function scopesOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).scope.split(' ');
}

function sleep(duration_ms) {
  return new Promise((resolve) => { setTimeout(resolve, duration_ms).unref(); });
}
