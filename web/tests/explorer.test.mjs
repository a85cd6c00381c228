// The explorer in a real browser, against the real gateway: what a visitor sees when they press play.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chooseWithoutPayments, FULL, PLAIN, playAndRead, startGateway, visit, WIDTHS_PX } from './support.mjs';

for (const [title, kind] of [['the explorer', FULL], ['the plain page', PLAIN]]) {
  describe(title, () => {
    let gateway;
    before(async () => { gateway = await startGateway(kind.env); });
    after(() => gateway?.stop());

    for (const width of WIDTHS_PX) {
      test(`shows the bill when play is pressed at ${width} px`, async () => {
        await visit(gateway, { width }, async (page) => {
          const answer = await playAndRead(page, kind);
          assertBill(answer);
          await assertLayout(page, kind, width);
          if (kind === FULL) assert.ok(page.workers().length > 0, 'the editor runs its workers');
        });
      });
    }

    test('answers every example without an error', async () => {
      await visit(gateway, {}, async (page, { config }) => {
        await kind.play(page).waitFor();
        for (const [index, { name }] of config.examples.entries()) {
          await kind.choose(page, index);
          const { data, errors } = await playAndRead(page, kind);
          assert.ok(data && !errors, `${name}: ${JSON.stringify(errors)}`);
        }
      });
    });

    test('shows FORBIDDEN and the missing scope with a token that may not read payments', async () => {
      await visit(gateway, {}, async (page, { config, authorizations }) => {
        const poor = await chooseWithoutPayments(page, config);
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
      await visit(gateway, { config: { demo: false, tokens: [] } }, async (page, { config }) => {
        assert.equal(await page.getByLabel('Ask as').isVisible(), false);
        await page.getByRole('textbox', { name: 'Token' }).fill(`Bearer ${config.tokens[0].token}`);
        assertBill(await playAndRead(page, kind));
        await page.reload();
        assertBill(await playAndRead(page, kind));
      });
    });

    if (kind === FULL) test('marks a field that the schema does not have', async () => {
      await visit(gateway, {}, async (page) => {
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
