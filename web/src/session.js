// What the explorer keeps between reloads, and where: sessionStorage only, so it ends with the browser tab.
//
// Tokens never reach localStorage, the address bar or GraphiQL's own storage. Of the ready-made tokens only the chosen
// name is kept, because a restarted demo signs new ones.

const CHOSEN = 'explorer.chosen';
const PASTED = 'explorer.pasted';
const EXAMPLES = 'explorer.examples';
const GRAPHIQL_EDITORS = ['graphiql:tabState', 'graphiql:query', 'graphiql:variables', 'graphiql:operationName'];

/** The token choice to start with: the last one if the server still offers it, else the first, else none. */
export function loadChoice(tokens) {
  const kept = sessionStorage.getItem(CHOSEN);
  const chosen = tokens.some(({ name }) => name === kept) || kept === '' ? kept : (tokens[0]?.name ?? '');
  return { chosen, pasted: sessionStorage.getItem(PASTED) ?? '' };
}

/** Keeps a choice. `chosen` is the name of a ready-made token, or empty for the pasted one. */
export function keepChoice({ chosen, pasted }) {
  sessionStorage.setItem(CHOSEN, chosen);
  sessionStorage.setItem(PASTED, pasted);
}

/** Whether GraphiQL finds its tabs of the last visit. Forgets them when the server's examples have changed since. */
export function hasTabsFor(examples) {
  const current = JSON.stringify(examples);
  if (sessionStorage.getItem(EXAMPLES) !== current) {
    GRAPHIQL_EDITORS.forEach((key) => sessionStorage.removeItem(key));
    sessionStorage.setItem(EXAMPLES, current);
  }
  return sessionStorage.getItem(GRAPHIQL_EDITORS[0]) !== null;
}
