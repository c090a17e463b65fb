// What the pages of the examples share.

/** Returns an element of the page. */
export const by = (id) => document.getElementById(id);

/** Makes an element with this class and this text. */
export function make(tag, name = '', text = '') {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
}

const PATHS = { direct: 'direct', relay: 'by the server', away: 'no connection' };

/** Shows a path in an element: `direct`, `relay`, `away` or none. */
export function showPath(element, path) {
  element.className = `path ${path ?? ''}`;
  element.textContent = PATHS[path] ?? '';
  element.hidden = !path;
}

/** Makes the mark of a path. */
export function pathMark(path) {
  const mark = make('span');
  showPath(mark, path);
  return mark;
}

/** Returns a name that is hardly anybody else's. */
export function ownName(kind) {
  const bytes = crypto.getRandomValues(new Uint8Array(3));
  return `${kind}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Returns a number of bytes for people. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
