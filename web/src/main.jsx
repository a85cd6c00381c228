// The explorer: GraphiQL with a token picker above it.
//
// Everything it needs comes from the gateway that serves it: `explorer/config.json` gives the endpoint, the example
// queries (one tab each) and, on a demo server, ready-made tokens. In production there are no tokens and the visitor
// pastes one. No request leaves the origin.

import 'graphiql/setup-workers/vite';
import '@graphiql/react/font/fira-code.css';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './explorer.css';

import { useGraphiQL } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useState } from 'react';
import { createPortal } from 'react-dom';
import { createRoot } from 'react-dom/client';
import favicon from './favicon.svg';
import { createFetcher } from './fetcher.js';
import { MissingScopes } from './scopes.jsx';
import { keepChoice, loadChoice, loadTab } from './session.js';
import { Tools } from './tools.jsx';

// What stands there where the server has no examples: it works with every token.
const FIRST_QUERY = `# Paste a token above and press play: who are you to this gateway, and what may you ask for?
{
  viewer {
    kind
    scopes
    expiresAt
  }
}
`;

const container = document.getElementById('explorer');
const root = createRoot(container);
try {
  const response = await fetch('explorer/config.json', { headers: { Accept: 'application/json' } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const config = await response.json();
  root.render(<Explorer config={config} />);
} catch (error) {
  root.render(<p className="notice">The explorer could not read its settings (explorer/config.json): {error.message}</p>);
}

function Explorer({ config }) {
  const { endpoint, demo, tokens } = config;
  const [choice, setChoice] = useState(() => loadChoice(tokens));
  const [answer, setAnswer] = useState(null);
  const ready = tokens.find(({ name }) => name === choice.chosen);
  const token = ready?.token ?? choice.pasted;

  // A new fetcher makes GraphiQL read the schema again, with the new token.
  const fetcher = useMemo(
    () => createFetcher({ endpoint, demo, token, onAnswer: setAnswer }),
    [endpoint, demo, token],
  );
  const [examples] = useState(() => config.examples.map((example) => ({ ...example, tab: toTab(example) })));
  const tabs = examples.map(({ tab }) => tab);
  const [startingTab] = useState(() => loadTab(tabs));
  // The tools stand above GraphiQL and work inside it.
  const [toolbar, setToolbar] = useState(null);

  function choose(change) {
    const next = { ...choice, ...change };
    keepChoice(next);
    setChoice(next);
    setAnswer(null);
  }

  return (
    <>
      <TokenBar demo={demo} tokens={tokens} ready={ready} choice={choice} onChoose={choose}>
        <div className="tools" ref={setToolbar} />
      </TokenBar>
      <main>
        <GraphiQL
          fetcher={fetcher}
          // Without a token the schema would be refused: null says "do not ask".
          schema={token ? undefined : null}
          storage={sessionStorage}
          shouldPersistHeaders={false}
          isHeadersEditorEnabled={false}
          defaultEditorToolsVisibility="variables"
          defaultTabs={tabs.length > 0 ? tabs : undefined}
          defaultQuery={FIRST_QUERY}
          {...startingTab}
        >
          <Readiness />
          {toolbar && createPortal(<Tools endpoint={endpoint} token={token} examples={examples} />, toolbar)}
          <GraphiQL.Logo> </GraphiQL.Logo>
          <GraphiQL.Footer>
            <p className="status" role="status">{describe(answer, token)}</p>
            <MissingScopes errors={answer?.errors} />
          </GraphiQL.Footer>
        </GraphiQL>
      </main>
    </>
  );
}

function TokenBar({ demo, tokens, ready, choice, onChoose, children }) {
  return (
    <header>
      <h1><img src={favicon} alt="" width="28" height="28" />Billing gateway {demo && <small>demo</small>}</h1>
      {tokens.length > 0 && (
        <label>
          <span>Ask as</span>
          <select value={choice.chosen} onChange={(event) => onChoose({ chosen: event.target.value })}>
            {tokens.map(({ name }) => <option key={name} value={name}>{name}</option>)}
            <option value="">another token…</option>
          </select>
        </label>
      )}
      {ready ? (
        <p>{ready.description}</p>
      ) : (
        <label className="paste">
          <span>Token</span>
          <input
            value={choice.pasted}
            placeholder="Paste a token; it stays in this browser tab"
            autoComplete="off"
            spellCheck="false"
            onChange={(event) => onChoose({ pasted: event.target.value.trim().replace(/^Bearer\s+/i, '') })}
          />
        </label>
      )}
      {children}
    </header>
  );
}

/** GraphiQL ignores its play button until the editors have loaded, so the style sheet hides it until then. */
function Readiness() {
  const ready = useGraphiQL(({ queryEditor, responseEditor }) => Boolean(queryEditor && responseEditor));
  useEffect(() => { container.classList.toggle('ready', ready); }, [ready]);
  return null;
}

/** An example as a GraphiQL tab, named in a comment above its query. */
function toTab({ name, query, variables }) {
  return { query: `# ${name}\n${query.trim()}\n`, variables: JSON.stringify(variables ?? {}, null, 2) };
}

/** The line under the answer: what it cost, as far as the gateway told. */
function describe(answer, token) {
  if (!answer) return token ? 'Press ▶ or Ctrl+Enter to ask.' : 'Paste a token to begin.';
  const { cost, debug } = answer.extensions ?? {};
  return [
    `HTTP ${answer.status}`,
    `${Math.round(answer.duration_ms)} ms`,
    debug?.statements !== undefined && count(debug.statements, 'SQL statement'),
    debug?.upstream?.calls !== undefined && count(debug.upstream.calls, 'upstream call'),
    cost?.requested !== undefined && `cost ${cost.requested} of ${cost.limit}`,
    answer.status === 401 && 'this token is refused, perhaps because it ran out: take another',
  ].filter(Boolean).join(' · ');
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
