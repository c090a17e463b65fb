/** SHA-256 of bytes that come piece by piece. The one of a page wants all at once, and only where the page is secure. */

/** Returns the first 32 bits of the fraction of a number. */
const fraction = (value: number): number => ((value - Math.floor(value)) * 2 ** 32) | 0;

const PRIMES: number[] = [];
for (let number = 2; PRIMES.length < 64; number++) if (PRIMES.every((prime) => number % prime)) PRIMES.push(number);
const K = PRIMES.map((prime) => fraction(Math.cbrt(prime)));

const turned = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));

export class Sha256 {
  private readonly state = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
  private readonly block = new Uint8Array(64);
  private readonly words = new Int32Array(64);
  private length = 0;

  update(bytes: Uint8Array): this {
    for (let at = 0; at < bytes.length; ) {
      const start = this.length % 64;
      const part = bytes.subarray(at, at + 64 - start);
      this.block.set(part, start);
      this.length += part.length;
      at += part.length;
      if (this.length % 64 === 0) this.mix();
    }
    return this;
  }

  /** Returns the hexadecimal digits of all that was added. Nothing can be added after that. */
  digest(): string {
    const { length } = this;
    const end = new Uint8Array(64 - ((length + 8) % 64) + 8);
    end[0] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(length / 2 ** 29));
    view.setUint32(end.length - 4, length << 3);
    this.update(end);
    return this.state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  private mix(): void {
    const { state, words: w } = this;
    const view = new DataView(this.block.buffer);
    for (let at = 0; at < 64; at++) {
      if (at < 16) w[at] = view.getInt32(at * 4);
      else {
        const [early, late] = [w[at - 15] as number, w[at - 2] as number];
        const one = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
        const other = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
        w[at] = ((w[at - 16] as number) + one + (w[at - 7] as number) + other) | 0;
      }
    }
    let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
    for (let at = 0; at < 64; at++) {
      const choice = (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g));
      const sum = (h + choice + (K[at] as number) + (w[at] as number)) | 0;
      const majority = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + sum) | 0, c, b, a, (sum + majority) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, at) => (state[at] = ((state[at] as number) + word) | 0));
  }
}
