/** The shortest of the latest round trips: that of the path itself, for the others waited behind messages. */

export class MinRtt {
  private readonly samples: number[] = [];

  constructor(private readonly most: number) {}

  record(sample: number): void {
    if (this.samples.length === this.most) this.samples.shift();
    this.samples.push(sample);
  }

  /** Returns the shortest, or undefined if nothing was measured. */
  get(): number | undefined {
    return this.samples.length ? Math.min(...this.samples) : undefined;
  }
}
