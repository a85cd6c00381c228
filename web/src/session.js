// What the explorer keeps between reloads, and where: sessionStorage only, so it ends with the browser tab.
//
// Tokens never reach localStorage, the address bar or GraphiQL's own storage. Of the ready-made tokens only the chosen
// name is kept, because a restarted demo signs new ones.

const CHOSEN = 'explorer.chosen';
const PASTED = 'explorer.pasted';
const EXAMPLES = 'explorer.examples';
const GRAPHIQL_TABS = 'graphiql:tabState';

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

/**
 * The tab to open with: the active one of the last visit, else the first example.
 *
 * GraphiQL restores its tabs by itself but fills its editors from what it is given. Tabs of the last visit are forgotten
 * when the server's examples have changed since.
 */
export function loadTab(examples) {
  const current = JSON.stringify(examples);
  if (sessionStorage.getItem(EXAMPLES) !== current) {
    sessionStorage.removeItem(GRAPHIQL_TABS);
    sessionStorage.setItem(EXAMPLES, current);
  }
  const kept = JSON.parse(sessionStorage.getItem(GRAPHIQL_TABS));
  const tab = kept?.tabs[kept.activeTabIndex] ?? examples[0];
  return { initialQuery: tab?.query ?? undefined, initialVariables: tab?.variables ?? undefined };
}
