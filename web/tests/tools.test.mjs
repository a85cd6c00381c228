// What the explorer adds to GraphiQL: examples by kind of user, curl, shared addresses, help with missing scopes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { chooseWithoutPayments, findings, FULL, playAndRead, startGateway, unreached, visit, WIDTHS_PX } from './support.mjs';

const IMAGES = new URL('../../docs/images/', import.meta.url).pathname;
const COLOURS = ['light', 'dark'];
const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };
const NO_CLIPBOARD = { setUp: () => { delete Navigator.prototype.clipboard; } };

// A query whose text would end or change a careless command line.
const AWKWARD = {
  query: 'query Awkward($number: String!) {\n  # it\'s $HOME `date` \\ "quoted" !! é\n  invoiceByNumber(number: $number) { id }\n  viewer { __typename }\n}\n',
  variables: '{ "number": "o\'clock $(id) \\\\ \\"é\\"" }',
};

describe('the explorer\'s tools', () => {
  let gateway;
  before(async () => { gateway = await startGateway(FULL.env); });
  after(() => gateway?.stop());

  for (const width of WIDTHS_PX) {
    for (const [title, options] of [['on the clipboard', CLIPBOARD], ['beside it, without a clipboard', NO_CLIPBOARD]]) {
      test(`give a curl command ${title} that answers the same at ${width} px`, async () => {
        await visit(gateway, { width, ...options }, async (page) => {
          const answer = await playAndRead(page, FULL);
          await page.getByRole('button', { name: 'Copy as curl' }).click();
          const command = await taken(page, 'curl command', options);
          assert.deepEqual(await ran(command), withoutDebug(answer));
          await page.getByRole('button', { name: 'Close', exact: true }).click();
          assert.equal(await page.getByLabel('curl command').count(), 0);
        });
      });
    }

    test(`share query and variables in an address that opens them at ${width} px`, async () => {
      let address;
      await visit(gateway, { width, ...CLIPBOARD }, async (page, { config }) => {
        await write(page, AWKWARD);
        await page.getByRole('button', { name: 'Share' }).click();
        address = await taken(page, 'Address of this query', CLIPBOARD);
        assert.equal(page.url(), address);
        const told = Buffer.from(new URL(address).hash.slice('#share='.length), 'base64url').toString();
        assert.deepEqual(JSON.parse(told), AWKWARD);
        for (const { token } of config.tokens) assert.ok(!told.includes(token));
      });
      await visit(gateway, { width, path: new URL(address).hash }, async (page, { config }) => {
        await page.getByRole('status').filter({ hasText: 'came with the address' }).waitFor();
        assert.deepEqual(await written(page), AWKWARD);
        assert.equal(await page.getByRole('tab').count(), config.examples.length + 1);
        assert.equal(new URL(page.url()).hash, '', 'a reload does not open it again');
        assert.equal((await playAndRead(page, FULL)).data.viewer.__typename, 'Viewer');
        // The address pasted into the same browser tab goes to what is open, and opens nothing twice.
        await page.getByRole('tab').first().click();
        await page.evaluate((hash) => { location.hash = hash; }, new URL(address).hash);
        await page.waitForFunction((query) => globalThis.__MONACO.editor.getModels()
          .some((model) => model.getValue() === query), AWKWARD.query);
        assert.equal(await page.getByRole('tab').count(), config.examples.length + 1);
      });
    });

    test(`open the examples of each kind of user at ${width} px`, async () => {
      await visit(gateway, { width }, async (page, { config }) => {
        const menu = page.getByLabel('Examples');
        await FULL.play(page).waitFor();
        const groups = await menu.locator('optgroup').evaluateAll((all) => all.map(({ label }) => label));
        assert.deepEqual(groups.toSorted(), ['Customer', 'Everyone', 'Merchant', 'Operator', 'Partner']);
        for (const { name, query } of config.examples) {
          await menu.selectOption({ label: name });
          assert.equal((await written(page)).query, `# ${name}\n${query}\n`);
          assert.equal(await menu.locator('option:checked').textContent(), name);
        }
        assert.equal(await page.getByRole('tab').count(), config.examples.length, 'what is open is not opened twice');
        await write(page, AWKWARD);
        await menu.locator('option:checked', { hasText: 'your own query' }).waitFor({ state: 'attached' });
        await menu.selectOption({ label: config.examples.at(-1).name });
        await page.getByRole('tab').nth(config.examples.length).waitFor();
      });
    });

    test(`say which scope is missing and open where to read about it at ${width} px`, async () => {
      await visit(gateway, { width }, async (page, { config }) => {
        await askWithoutPayments(page, config);
        const help = page.getByRole('alert').filter({ hasText: 'payments:read' });
        assert.match(await help.textContent(), /lacks the scope payments:read, which payments needs/);
        await assertInView(page, help, width);
        await help.getByRole('button', { name: 'Read about payments' }).click();
        await page.locator('.graphiql-plugin').filter({ hasText: 'Needs the scope payments:read' }).waitFor();
      });
    });

    test(`are reached with the Tab key, like everything else, at ${width} px`, async () => {
      await visit(gateway, { width }, async (page, { config }) => {
        await askWithoutPayments(page, config);
        await page.getByRole('button', { name: 'Copy as curl' }).click();
        await page.getByLabel('curl command').waitFor();
        assert.deepEqual(await unreached(page), []);
      });
    });

    for (const colorScheme of COLOURS) {
      test(`have no serious finding of axe-core at ${width} px when it is ${colorScheme}`, async () => {
        await visit(gateway, { width, colorScheme }, async (page, { config }) => {
          await askWithoutPayments(page, config);
          await page.getByRole('button', { name: 'Share' }).click();
          await page.getByLabel('Address of this query').waitFor();
          assert.deepEqual(await findings(page), []);
          await page.getByLabel('Ask as').selectOption('');
          assert.deepEqual(await findings(page), []);
        });
      });
    }
  }

  test('quote what a shell would read', async () => {
    await visit(gateway, NO_CLIPBOARD, async (page) => {
      await write(page, AWKWARD);
      const answer = await playAndRead(page, FULL);
      await page.getByRole('button', { name: 'Copy as curl' }).click();
      const command = await taken(page, 'curl command', NO_CLIPBOARD);
      assert.deepEqual(await ran(command), withoutDebug(answer));
      const posted = JSON.parse((await promisify(execFile)('bash', ['-c', `curl() { printf %s "\${@: -1}"; }\n${command}`])).stdout);
      assert.equal(posted.query, AWKWARD.query);
      assert.deepEqual(posted.variables, JSON.parse(AWKWARD.variables));
      await write(page, { ...AWKWARD, variables: '{ number' });
      await page.getByRole('button', { name: 'Copy as curl' }).click();
      await page.getByRole('status').filter({ hasText: 'the variables are not JSON' }).waitFor();
    });
  });

  for (const fragment of ['#share=', '#share=%00', '#share=bnVsbA', '#share=e30', '#share=_w', '#elsewhere']) {
    test(`ignore the fragment ${fragment} and say so`, async () => {
      await visit(gateway, { path: fragment }, async (page, { config }) => {
        await page.getByRole('status').filter({ hasText: 'it was ignored' }).waitFor();
        assert.equal(await page.getByRole('tab').count(), config.examples.length);
        assert.ok((await playAndRead(page, FULL)).data.invoice);
      });
    });
  }

  test('are shown in the pictures of the README', { skip: !process.env.SCREENSHOTS && 'SCREENSHOTS=1 takes them' }, async () => {
    await mkdir(IMAGES, { recursive: true });
    for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['narrow', { width: 390 }]]) {
      await visit(gateway, options, async (page) => {
        await playAndRead(page, FULL);
        await page.locator(FULL.pane).filter({ hasText: '"invoice"' }).waitFor();
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path: `${IMAGES}explorer-${name}.png`, animations: 'disabled', caret: 'hide' });
      });
    }
  });
});

/** Writes into GraphiQL's editors, and waits until its tab has it. */
async function write(page, { query, variables }) {
  await FULL.play(page).waitFor();
  await page.evaluate((texts) => {
    for (const model of globalThis.__MONACO.editor.getModels()) {
      for (const [end, text] of texts) if (model.uri.path.endsWith(end)) model.setValue(text);
    }
  }, [['operation.graphql', query], ['variables.json', variables]]);
  await page.waitForFunction(
    (wanted) => sessionStorage.getItem('graphiql:tabState')?.includes(JSON.stringify(wanted).slice(1, -1)),
    query,
  );
}

function written(page) {
  return page.evaluate(() => {
    const read = (end) => globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith(end)).getValue();
    return { query: read('operation.graphql'), variables: read('variables.json') };
  });
}

/** The text that a tool shows; it says that it copied it, and did, where there is a clipboard. */
async function taken(page, label, { permissions }) {
  const text = await page.getByLabel(label).inputValue();
  const note = await page.locator('.shown [role=status]').textContent();
  assert.match(note, permissions ? /^Copied\./ : /^Copying did not work here/);
  if (permissions) assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  return text;
}

async function ran(command) {
  const { stdout } = await promisify(execFile)('bash', ['-c', command]);
  return withoutDebug(JSON.parse(stdout));
}

/** What differs between two times of asking the same. */
function withoutDebug({ extensions: _, ...answer }) {
  return answer;
}

async function askWithoutPayments(page, config) {
  await chooseWithoutPayments(page, config);
  await playAndRead(page, FULL);
  await page.getByRole('button', { name: 'Read about payments' }).waitFor();
}

async function assertInView(page, locator, width) {
  const box = await locator.boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= width && box.y >= 0 && box.y + box.height <= page.viewportSize().height, JSON.stringify(box));
}
