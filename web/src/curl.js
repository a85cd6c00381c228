// A request as a command line, to be pasted into any POSIX shell.

/**
 * The curl command that asks what GraphiQL would ask: `operation` is `{query, variables, operationName}` as posted.
 *
 * Every part that a visitor can write stands in single quotes, between which a shell reads nothing but their end. A
 * body never begins with `@`, which curl would take for a file, because it is a JSON object.
 */
export function curlCommand({ url, token, operation }) {
  const parts = [`curl -sSg ${quoted(url)}`];
  if (token) parts.push(`-H ${quoted(`authorization: Bearer ${token}`)}`);
  parts.push(`-H ${quoted('content-type: application/json')}`, `-d ${quoted(JSON.stringify(operation))}`);
  return parts.join(' \\\n  ');
}

/** A quote ends the quoted text, follows escaped, and begins it again. */
function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
