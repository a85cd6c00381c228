// Sends GraphiQL's requests to the gateway with the chosen token.

/**
 * A GraphiQL fetcher: one POST per operation, same origin, the token in the Authorization header.
 *
 * `onAnswer` is told `{status, duration_ms, errors, extensions}` of every operation but introspection. An answer that is not
 * JSON becomes an error that quotes its beginning, which GraphiQL shows in the answer pane.
 */
export function createFetcher({ endpoint, demo, token, onAnswer }) {
  return async (operation) => {
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json, application/json',
    };
    if (token) headers.Authorization = `Bearer ${token}`;
    // The demo counts its SQL statements and upstream calls for whoever asks.
    if (demo) headers['X-Debug'] = '1';

    const started = performance.now();
    const response = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(named(operation)) });
    const text = await response.text();
    const duration_ms = performance.now() - started;

    const answer = parse(text, response.status);
    if (operation.operationName !== 'IntrospectionQuery') {
      onAnswer({ status: response.status, duration_ms, errors: answer.errors, extensions: answer.extensions });
    }
    return answer;
  };
}

/** GraphiQL learns an operation's name a moment after its tab is chosen; until then it sends the last tab's. */
export function named({ operationName, ...operation }) {
  const names = operation.query.matchAll(/\b(?:query|mutation|subscription)\s+(\w+)/g);
  return [...names].some(([, name]) => name === operationName) ? { ...operation, operationName } : operation;
}

function parse(text, status) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`The gateway answered HTTP ${status} with something that is not JSON: ${text.slice(0, 200)}`, { cause });
  }
}
