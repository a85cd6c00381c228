// A query in the fragment of an address: the part behind `#`, which browsers do not send, so no server logs it.

const BEGINNING = '#share=';

/** The fragment that holds a query and its variables, both as they are written. There is no place for a token. */
export function toFragment({ query, variables }) {
  const bytes = new TextEncoder().encode(JSON.stringify({ query, variables }));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return BEGINNING + base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The query and variables that a fragment holds; null when there is none. Throws when it cannot be read. */
export function fromFragment(fragment) {
  if (fragment.length <= 1) return null;
  if (!fragment.startsWith(BEGINNING)) throw new Error('a fragment of something else');
  const base64 = fragment.slice(BEGINNING.length).replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const { query, variables } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  if (typeof query !== 'string' || typeof variables !== 'string') throw new Error('query and variables must be text');
  return { query, variables };
}
