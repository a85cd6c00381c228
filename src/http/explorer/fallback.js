// The explorer's plain page: choose a token and an example, press play, read the answer.
//
// Reads its settings from explorer/config.json, the same as the full explorer. A token is kept in sessionStorage only
// and sent in the Authorization header. Text reaches the page through textContent and value, never as markup.

const CHOSEN = 'explorer.chosen';
const PASTED = 'explorer.pasted';

const ids = ['demo', 'choose', 'token', 'description', 'paste', 'pasted', 'example', 'play', 'query', 'variables', 'status', 'answer', 'missing'];
const page = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
let config;

try {
  const response = await fetch('explorer/config.json', { headers: { Accept: 'application/json' } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  config = await response.json();
  start();
} catch (error) {
  page.answer.textContent = `The page could not read its settings (explorer/config.json): ${error.message}`;
}

function start() {
  const { demo, tokens, examples } = config;
  page.demo.hidden = !demo;
  page.choose.hidden = tokens.length === 0;
  page.token.append(...tokens.map(({ name }) => new Option(name, name)), new Option('another token…', ''));
  page.example.append(...examples.map(({ name }, index) => new Option(name, String(index))));

  const kept = sessionStorage.getItem(CHOSEN);
  const offered = kept === '' || tokens.some(({ name }) => name === kept);
  page.token.value = offered ? kept : (tokens[0]?.name ?? '');
  page.pasted.value = sessionStorage.getItem(PASTED) ?? '';
  showToken();
  showExample();

  page.token.addEventListener('change', showToken);
  page.pasted.addEventListener('input', () => sessionStorage.setItem(PASTED, page.pasted.value.trim()));
  page.example.addEventListener('change', showExample);
  page.play.addEventListener('click', play);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) play();
  });
  page.play.disabled = false;
}

/** The ready-made token that is chosen; undefined when the visitor pastes one. */
function readyToken() {
  return config.tokens.find(({ name }) => name === page.token.value);
}

function showToken() {
  const ready = readyToken();
  sessionStorage.setItem(CHOSEN, page.token.value);
  page.description.textContent = ready?.description ?? '';
  page.description.hidden = !ready;
  page.paste.hidden = Boolean(ready);
}

function showExample() {
  const example = config.examples[Number(page.example.value)];
  page.query.value = example?.query.trim() ?? '{ __typename }';
  page.variables.value = JSON.stringify(example?.variables ?? {}, null, 2);
}

async function play() {
  page.play.disabled = true;
  page.answer.textContent = '';
  page.missing.replaceChildren();
  page.status.textContent = 'asking…';
  try {
    const variables = JSON.parse(page.variables.value.trim() || '{}');
    await ask({ query: page.query.value, variables });
  } catch (error) {
    page.status.textContent = 'no answer';
    page.answer.textContent = error.message;
  } finally {
    page.play.disabled = false;
  }
}

/** Sends one operation and shows the answer, indented when it is JSON and as it came when it is not. */
async function ask(operation) {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/graphql-response+json, application/json' };
  const token = readyToken()?.token ?? page.pasted.value.trim().replace(/^Bearer\s+/i, '');
  if (token) headers.Authorization = `Bearer ${token}`;

  const started = performance.now();
  const response = await fetch(config.endpoint, { method: 'POST', headers, body: JSON.stringify(operation) });
  const text = await response.text();
  page.status.textContent = `HTTP ${response.status} · ${Math.round(performance.now() - started)} ms`;
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    page.answer.textContent = text;
    return;
  }
  page.answer.textContent = JSON.stringify(answer, null, 2);
  const refused = (answer.errors ?? []).filter(({ extensions }) => extensions?.code === 'FORBIDDEN');
  const scopes = new Set(refused.map(({ extensions }) => extensions.requiredScope));
  page.missing.append(...Array.from(scopes, missing));
}

/** One line about a scope that the token lacks, with a link to what it opens. */
function missing(scope) {
  const link = Object.assign(document.createElement('a'), {
    href: `explorer/scopes#${scope}`, target: '_blank', rel: 'noreferrer', textContent: 'What it opens',
  });
  const line = document.createElement('p');
  line.append(`This token lacks the scope ${scope}. `, link);
  return line;
}
