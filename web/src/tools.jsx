// What GraphiQL lacks: examples by kind of user, the request as curl, and addresses that hold a query.

import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect, useEffectEvent, useState } from 'react';
import { curlCommand } from './curl.js';
import { named } from './fetcher.js';
import { fromFragment, toFragment } from './share.js';

/** The menu and the buttons. `examples` have a `group`, a `name` and the `tab` that they open. */
export function Tools({ endpoint, token, examples }) {
  const { openTab, current, ready } = useTabs();
  const operationName = useGraphiQL((state) => state.operationName);
  // A sentence about what happened, with the text it is about.
  const [shown, setShown] = useState(null);

  const openShared = useEffectEvent(() => {
    try {
      const shared = fromFragment(location.hash);
      if (!shared) return;
      openTab(shared);
      setShown({ note: 'This query came with the address. Read it, then press play.' });
    } catch {
      setShown({ note: 'The address holds no query that can be read, so it was ignored.' });
    }
    // A reload shall not open it again.
    history.replaceState(null, '', location.pathname + location.search);
  });
  useEffect(() => {
    if (!ready) return undefined;
    openShared();
    addEventListener('hashchange', openShared);
    return () => removeEventListener('hashchange', openShared);
  }, [ready]);

  async function showCurl() {
    const { query, variables } = current();
    let values;
    try {
      values = JSON.parse(variables.trim() || '{}');
    } catch {
      setShown({ note: 'There is no curl command yet: the variables are not JSON.' });
      return;
    }
    const url = new URL(endpoint, location.href).href;
    const text = curlCommand({ url, token, operation: named({ query, variables: values, operationName }) });
    const warning = token ? ' It contains your token: share it with nobody.' : '';
    setShown({ label: 'curl command', text, note: `${await copied(text)}${warning}` });
  }

  async function share() {
    history.replaceState(null, '', toFragment(current()));
    const text = location.href;
    setShown({ label: 'Address of this query', text, note: `${await copied(text)} It holds query and variables, no token.` });
  }

  return (
    <>
      {examples.length > 0 && <ExampleMenu examples={examples} onOpen={openTab} />}
      <button type="button" disabled={!ready} onClick={showCurl}>Copy as curl</button>
      <button type="button" disabled={!ready} onClick={share}>Share</button>
      {shown && <Shown {...shown} onClose={() => setShown(null)} />}
    </>
  );
}

function ExampleMenu({ examples, onOpen }) {
  const tab = useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]);
  const groups = Object.groupBy(examples, ({ group }) => group ?? 'more');
  return (
    <label>
      <span>Examples</span>
      <select
        value={examples.findIndex((example) => isSame(example.tab, tab))}
        onChange={({ target }) => examples[target.value] && onOpen(examples[target.value].tab)}
      >
        <option value={-1}>your own query</option>
        {Object.entries(groups).map(([group, members]) => (
          <optgroup key={group} label={group[0].toUpperCase() + group.slice(1)}>
            {members.map((example) => <option key={example.name} value={examples.indexOf(example)}>{example.name}</option>)}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

function Shown({ note, label, text, onClose }) {
  return (
    <section className="shown" aria-label="Note">
      <p role="status">{note}</p>
      <button type="button" onClick={onClose}>Close</button>
      {text && <textarea readOnly aria-label={label} rows={4} value={text} onFocus={({ target }) => target.select()} />}
    </section>
  );
}

/** GraphiQL's tabs: `openTab` goes to the one with this query and these variables, or adds it. */
function useTabs() {
  const { addTab, changeTab, updateActiveTabValues } = useGraphiQLActions();
  const tabs = useGraphiQL((state) => state.tabs);
  const active = useGraphiQL((state) => state.activeTabIndex);
  const query = useGraphiQL((state) => state.queryEditor);
  const variables = useGraphiQL((state) => state.variableEditor);

  function openTab(wanted) {
    const index = tabs.findIndex((tab) => isSame(tab, wanted));
    if (index === active) return;
    if (index >= 0) {
      changeTab(index);
      return;
    }
    addTab();
    updateActiveTabValues(wanted);
    query.setValue(wanted.query);
    variables.setValue(wanted.variables);
  }
  const current = () => ({ query: query.getValue(), variables: variables.getValue() });
  return { openTab, current, ready: Boolean(query && variables) };
}

function isSame(one, other) {
  return one?.query === other?.query && one?.variables === other?.variables;
}

/** Puts a text on the clipboard, which browsers have on safe origins only, and says whether that worked. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return 'Copied.';
  } catch {
    return 'Copying did not work here: take it from below.';
  }
}
