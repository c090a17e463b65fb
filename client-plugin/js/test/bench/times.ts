/** Defines `times` in a page, which calls a function again and again and returns the median in microseconds. */
export const TIMES = `
globalThis.times = async (calls, call) => {
  const all = [];
  for (let at = 0; at < calls; at++) {
    const begin = performance.now();
    await call(at);
    all.push(performance.now() - begin);
  }
  return all.sort((a, b) => a - b)[calls >> 1] * 1000;
};
`;
