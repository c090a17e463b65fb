/** Short texts of the wire that stand for a value. A text that this version does not know is kept, cut. */

import { cut, isText } from "../bytes.js";
import { LABEL_BYTES } from "../limits.js";

/** One of the known texts, or a text of another version. */
export type Label<Known extends string> = Known | (string & Record<never, never>);

/** Reads such a text; returns undefined if the value is none. All known texts are shorter than the limit. */
export const readLabel = (value: unknown): string | undefined => (isText(value) ? cut(value, LABEL_BYTES) : undefined);
