// What every visitor may expect of both pages, wide and narrow: whom they can ask as, what a refusal tells, dark and
// light, keys, axe-core; and how the files come: compressed, kept, or not at all.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import {
  chooseWithoutPayments, findings, FULL, PLAIN, playAndRead, startGateway, startPlainGateway, unreached, visit, WIDTHS_PX,
} from './support.mjs';

const COMPRESSED_FROM_BYTES = 1_000; // As the build has it.
const FOR_EVER = 'public, max-age=31536000, immutable';
const BUILT = (await readdir(new URL('../dist/assets/', import.meta.url))).filter((name) => !/\.(br|gz)$/.test(name));

// Everyone whom a visitor of the demo can be, and what the invoice of the first example answers to them.
const EVERYONE = {
  merchant: isWhole,
  customer: isNotThere,
  partner: isWhole,
  partner_without_payments: (answer) => lacks(answer, 'payments:read'),
  partner_without_links: (answer) => lacks(answer, 'invoices.links:read'),
  partner_two_customers: isNotThere,
  other_tenant: isNotThere,
  expired: isRefused,
  service_key: isWhole,
  revoked_key: isRefused,
};

for (const [title, kind] of [['the explorer', FULL], ['the plain page', PLAIN]]) {
  describe(`${title} for every visitor`, () => {
    let gateway;
    before(async () => { gateway = await startGateway(kind.env); });
    after(() => gateway?.stop());

    for (const width of WIDTHS_PX) {
      test(`asks as everyone of the demo at ${width} px`, async () => {
        await visit(gateway, { width, refused: true }, async (page, { config, authorizations }) => {
          await kind.play(page).waitFor();
          const picker = page.getByLabel('Ask as');
          assert.deepEqual(await picker.locator('option').allTextContents(), [...Object.keys(EVERYONE), 'another token…']);
          for (const { name, token, description } of config.tokens) {
            await picker.selectOption(name);
            await page.getByText(description, { exact: true }).waitFor();
            EVERYONE[name](await playAndRead(page, kind));
            assert.equal(authorizations.at(-1), `Bearer ${token}`, name);
          }
          if (kind === FULL) await page.getByRole('status').filter({ hasText: 'this token is refused' }).waitFor();
        });
      });

      if (kind === FULL) test(`reads the schema again when the token changes at ${width} px`, async () => {
        await visit(gateway, { width }, async (page, { config }) => {
          await kind.play(page).waitFor();
          for (const { name, token } of config.tokens.slice(1, 4)) {
            const asked = page.waitForRequest((request) => request.postData()?.includes('IntrospectionQuery')
              && request.headers().authorization === `Bearer ${token}`);
            await page.getByLabel('Ask as').selectOption(name);
            assert.ok((await (await (await asked).response()).json()).data.__schema.types.length > 0);
          }
        });
      });

      test(`tells which scope is missing and leads to where it is explained at ${width} px`, async () => {
        await visit(gateway, { width }, async (page, { config }) => {
          await kind.play(page).waitFor();
          await chooseWithoutPayments(page, config);
          await playAndRead(page, kind);
          const help = page.getByRole('alert').filter({ hasText: 'This token lacks the scope payments:read' });
          const opened = page.waitForEvent('popup');
          await help.getByRole('link', { name: 'What it opens' }).click();
          const about = await opened;
          await about.locator('section:target').filter({ hasText: 'Invoice: payments, paymentCount, paymentIntent' }).waitFor();
          assert.ok(await about.evaluate(() => document.documentElement.scrollWidth) <= width, 'no sideways scrolling');
          assert.deepEqual(await findings(about), []);
          assert.deepEqual(await unreached(about), []);
          assert.deepEqual(await findings(page), []);
        });
      });

      test(`is dark or light as the visitor likes it at ${width} px`, async () => {
        const lightness = {};
        for (const colorScheme of ['light', 'dark']) {
          await visit(gateway, { width, colorScheme }, async (page) => {
            await kind.play(page).waitFor();
            lightness[colorScheme] = await page.evaluate(lightnessOf, 'body');
            assert.deepEqual(await findings(page), []);
            await page.goto(new URL('explorer/scopes', gateway.url).href);
            assert.equal(await page.evaluate(lightnessOf, 'body') > 0.5, colorScheme === 'light');
            assert.deepEqual(await findings(page), []);
          });
        }
        assert.ok(lightness.light > 0.9 && lightness.dark < 0.3, JSON.stringify(lightness));
      });

      // The tools of the explorer are asked the same, with everything open.
      if (kind === PLAIN) test(`is worked with keys alone at ${width} px`, async () => {
        await visit(gateway, { width }, async (page) => {
          await kind.play(page).waitFor();
          assert.deepEqual(await unreached(page), []);
        });
      });
    }

    test('has an icon', async () => {
      await visit(gateway, {}, async (page) => {
        await kind.play(page).waitFor();
        const width = await page.evaluate(async () => {
          const image = Object.assign(new Image(), { src: document.querySelector('link[rel=icon]').href });
          await image.decode();
          return image.naturalWidth;
        });
        assert.ok(width > 0);
      });
    });

    test('comes in files that are compressed for who takes that, and the same for who does not', async () => {
      const files = kind === FULL ? ['/', ...BUILT.map((name) => `/assets/${name}`)] : ['/', '/fallback.css', '/fallback.js'];
      assert.ok(files.length >= 3);
      for (const file of [...files, '/explorer/scopes.css']) await assertCompressed(new URL(file, gateway.url));
    });

    test('lets be kept what never changes, and nothing else', async () => {
      const caching = async (file) => (await fetch(new URL(file, gateway.url))).headers.get('cache-control');
      assert.equal(await caching('/'), 'no-cache');
      assert.equal(await caching('/explorer/scopes'), 'no-cache');
      assert.equal(await caching('/explorer/config.json'), 'no-store');
      if (kind === PLAIN) return;
      const hashed = BUILT.filter((name) => name !== 'licenses.md');
      for (const name of hashed) {
        assert.match(name, /-[\w-]{8}\.\w+$/);
        assert.equal(await caching(`/assets/${name}`), FOR_EVER, name);
      }
      assert.equal(await caching('/assets/licenses.md'), 'no-cache');
    });
  });

  describe(`${title} of a server that is no demo`, () => {
    let gateway;
    before(async () => { gateway = await startPlainGateway(kind.env); });
    after(() => gateway?.stop());

    for (const width of WIDTHS_PX) {
      test(`has nothing but a field for a token at ${width} px`, async () => {
        const token = await gateway.sign();
        await visit(gateway, { width }, async (page, { config, authorizations }) => {
          assert.deepEqual([config.demo, config.tokens, config.examples], [false, [], []]);
          await kind.play(page).waitFor();
          for (const label of ['Ask as', 'Examples']) assert.equal(await page.getByLabel(label).isVisible(), false, label);
          assert.deepEqual(authorizations, []);
          const field = page.getByRole('textbox', { name: 'Token' });
          await field.fill(token);
          const { data, errors } = await playAndRead(page, kind);
          assert.equal(errors, undefined);
          assert.deepEqual(data, kind === FULL ? { viewer: { ...data.viewer, kind: 'MERCHANT', scopes: ['invoices:read'] } } : { __typename: 'Query' });
          assert.equal(authorizations.at(-1), `Bearer ${token}`);
          assert.deepEqual(await findings(page), []);
          assert.ok(!page.url().includes(token));
          await page.reload();
          assert.equal(await field.inputValue(), token, 'it stays in this tab');
        });
        await visit(gateway, { width }, async (page) => {
          assert.equal(await page.getByRole('textbox', { name: 'Token' }).inputValue(), '', 'and in no other');
        });
      });
    }
  });
}

test('nothing of the explorer is there when it is off', async () => {
  const gateway = await startGateway({ BILLING_GATEWAY_EXPLORER: 'off' });
  try {
    const paths = ['/', '/explorer/config.json', '/explorer/scopes', '/explorer/scopes.css', '/fallback.css', '/fallback.js'];
    for (const path of [...paths, ...BUILT.map((name) => `/assets/${name}`)]) {
      assert.equal((await fetch(new URL(path, gateway.url))).status, 404, path);
    }
  } finally {
    await gateway.stop();
  }
});

function isRefused({ errors }) {
  assert.deepEqual(errors.map(({ extensions }) => extensions.code), ['UNAUTHENTICATED']);
}

function isWhole({ data, errors }) {
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.ok(data.invoice.payments.length > 0 && data.invoice.hostedInvoiceUrl);
}

function isNotThere({ data, errors }) {
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.equal(data.invoice, null);
}

function lacks({ data, errors }, scope) {
  assert.ok(data.invoice.number);
  for (const { extensions } of errors) assert.deepEqual([extensions.code, extensions.requiredScope], ['FORBIDDEN', scope]);
  assert.ok(errors.length > 0);
}

/** How light an element's background is, from 0 to 1. Runs in the page. */
function lightnessOf(selector) {
  const channels = getComputedStyle(document.querySelector(selector)).backgroundColor.match(/[\d.]+/g).slice(0, 3);
  return channels.reduce((sum, channel) => sum + Number(channel), 0) / (3 * 255);
}

async function assertCompressed(url) {
  const get = (encoding) => fetch(url, { headers: { 'accept-encoding': encoding } });
  const plain = await get('identity');
  assert.equal(plain.status, 200, url.href);
  assert.equal(plain.headers.get('content-encoding'), null);
  const bytes = Buffer.from(await plain.arrayBuffer());
  assert.equal(plain.headers.get('vary'), 'accept-encoding');
  if (bytes.length < COMPRESSED_FROM_BYTES) return;
  for (const [accepted, sent] of [['gzip, deflate, br', 'br'], ['gzip', 'gzip'], ['br;q=0, gzip;q=0.5', 'gzip']]) {
    const response = await get(accepted);
    const { headers } = response;
    assert.equal(headers.get('content-encoding'), sent, url.href);
    assert.equal(headers.get('vary'), 'accept-encoding');
    assert.equal(headers.get('content-type'), plain.headers.get('content-type'));
    assert.ok(Number(headers.get('content-length')) < bytes.length, `${url} is smaller`);
    assert.ok(bytes.equals(Buffer.from(await response.arrayBuffer())), `${url} is the same`);
  }
  if (url.pathname !== '/') assert.equal((await fetch(`${url}.br`)).status, 404);
}
