/**
 * Files, sent over a channel while there is a direct path, and otherwise in acknowledged pieces through the server. What
 * has arrived is not sent again, whatever happens to the path. The examples `sendfile` and `recvfile` of Rust are partners.
 *
 *   sender ── emit "file" (name, size) ──────────────▶ receiver, which replies how much of it there is
 *          ── channel "file": the offset, then bytes ▶
 *          ── emit "has" ────────────────────────────▶ how much of it there is
 *          ── emit "piece" (offset, bytes) ──────────▶ the same, without a direct path
 *          ── emit "done" (SHA-256) ─────────────────▶ compares
 */

import type { P2pClient } from "./api/client.js";
import { HandlerError, P2pError } from "./api/error.js";
import type { P2pChannel } from "./direct/raw-channel.js";
import { Sha256 } from "./files/sha256.js";

/** The bytes of a message: every partner takes so many. */
const PIECE = 16 * 1024;
/** The bytes of an event: with these it is one frame, which carries them as they are. */
const RELAYED = 12_000;
/** The messages that a receiver gathers into a blob. */
const GATHERED = 256;
/** The milliseconds that the receiver may take to answer: it may write to a disk. */
const ANSWER_TIME = 60_000;
/** The longest file that is received, by default. */
const MOST = 1024 ** 3;

/** The progress of a file. */
export interface FileProgress {
  /** The name of the file. */
  readonly name: string;
  /** The bytes of the file. */
  readonly size: number;
  /** The bytes that were sent or received. */
  readonly done: number;
}

/** The options of a file that is sent. */
export interface SendFileSettings {
  /** The name of the file; that of a `File` by default. */
  name?: string;
  /** Is told of the progress, often. */
  onProgress?: (progress: FileProgress) => void;
  /** Gives the file up. */
  signal?: AbortSignal;
}

/** Sends a file to the partner, which receives files. Resolves when the partner has all of it and has compared its checksum. */
export async function sendFile(client: P2pClient, file: Blob, settings: SendFileSettings = {}): Promise<void> {
  const { name = (file as Partial<File>).name ?? "file", onProgress, signal } = settings;
  const { size } = file;
  const told = (done: number) => onProgress?.({ name, size, done });
  const emits = client.with({ timeout: ANSWER_TIME, ...(signal && { signal }) });
  const has = async (event: string, ...args: unknown[]): Promise<number> => {
    const answer: unknown = await emits.emit2(event, ...args);
    if (Number.isInteger(answer) && (answer as number) >= 0 && (answer as number) <= size) return answer as number;
    throw new P2pError("bad-args", `sendFile ${JSON.stringify(name)}: the partner does not say how much it has`);
  };
  let done = await has("file", name, size);
  told(done);
  while (done < size) {
    signal?.throwIfAborted();
    const sent = (await overChannel(client, file, done, told, signal)) ? await has("has") : 0;
    // Without a direct path, or where the partner cannot use it.
    done = sent > done ? sent : await has("piece", done, await bytesOf(file.slice(done, done + RELAYED)));
    told(done);
  }
  const hash = new Sha256();
  for (let at = 0; at < size; at += PIECE) hash.update(await bytesOf(file.slice(at, at + PIECE)));
  await emits.emit2("done", hash.digest());
}

const bytesOf = async (part: Blob): Promise<Uint8Array> => new Uint8Array(await part.arrayBuffer());

/** Sends the rest of a file over a channel, until the channel fails. Returns false if there is none. */
async function overChannel(
  client: P2pClient,
  file: Blob,
  from: number,
  told: (done: number) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let channel: P2pChannel;
  try {
    channel = await client.channel("file", signal ? { signal } : {});
  } catch {
    signal?.throwIfAborted();
    return false;
  }
  try {
    await channel.send(String(from));
    for (let at = from; at < file.size; at += PIECE) {
      await channel.send(await bytesOf(file.slice(at, at + PIECE)));
      told(Math.min(at + PIECE, file.size));
    }
  } catch (error) {
    // An error of the file, and an abort, are the caller's. What has arrived, the partner says.
    if (!(error instanceof P2pError)) throw error;
  } finally {
    await channel.close();
  }
  signal?.throwIfAborted();
  return true;
}

/** A file that the partner offers. */
export interface FileOffer {
  /** The name that the sender gives it. */
  readonly name: string;
  /** The bytes that it is to have. */
  readonly size: number;
}

/** The options of a client that receives files. */
export interface ReceiveFileSettings {
  /** Takes a file that is complete, and whose checksum is right. What it throws is reported to the sender. */
  onFile: (file: Blob, offer: FileOffer) => unknown;
  /** Decides about a file that is offered. Without it, all up to 1 GiB are taken. */
  accept?: (offer: FileOffer) => boolean | Promise<boolean>;
  /** Is told of the progress, often. */
  onProgress?: (progress: FileProgress) => void;
}

/** A file of which a part has arrived. */
interface Part extends FileOffer {
  /** What has arrived: a page may keep blobs elsewhere than in memory. */
  blobs: Blob[];
  latest: BlobPart[];
  done: number;
  hash: Sha256;
  /** Resolves when the channel that brings it is read to its end. */
  isRead: Promise<void>;
}

/**
 * Receives files of the partner, one at a time: sets the handlers of `file`, `piece`, `has` and `done`, and that of channels
 * with the label `file`. A file whose sender is lost goes on where it was when the same is offered again.
 */
export function receiveFiles(client: P2pClient, settings: ReceiveFileSettings): void {
  const { onFile, accept = ({ size }) => size <= MOST, onProgress } = settings;
  let part: Part | undefined;
  const present = (): Part => {
    if (!part) throw new HandlerError("no-file", "no file was offered");
    return part;
  };
  const take = (part: Part, bytes: Uint8Array): void => {
    if (part.done + bytes.length > part.size) throw new HandlerError("too-long", "more comes than the file has");
    if (part.latest.push(bytes as Uint8Array<ArrayBuffer>) >= GATHERED) part.blobs.push(new Blob(part.latest.splice(0)));
    part.hash.update(bytes);
    part.done += bytes.length;
    onProgress?.({ name: part.name, size: part.size, done: part.done });
  };
  client.on2("file", async (name: unknown, size: unknown) => {
    if (typeof name !== "string" || !Number.isSafeInteger(size) || (size as number) < 0) {
      throw new HandlerError("bad-offer", "a file has a name and a size");
    }
    // Only the name: the sender chooses no folder.
    const offer: FileOffer = { name: name.split(/[\\/]/).pop() ?? "", size: size as number };
    if (!(await accept(offer))) throw new HandlerError("declined", "the file is not wanted");
    if (part?.name !== offer.name || part.size !== offer.size) {
      part = { ...offer, blobs: [], latest: [], done: 0, hash: new Sha256(), isRead: Promise.resolve() };
    }
    await part.isRead;
    return part.done;
  });
  client.on2("piece", (at: unknown, bytes: unknown) => {
    const part = present();
    if (at === part.done && bytes instanceof Uint8Array) take(part, bytes);
    return part.done;
  });
  client.on2("has", async () => {
    const part = present();
    await part.isRead;
    return part.done;
  });
  client.on2("done", async (checksum: unknown) => {
    const whole = present();
    part = undefined;
    if (whole.done < whole.size) throw new HandlerError("too-short", "a part of the file is missing");
    if (whole.hash.digest() !== checksum) throw new HandlerError("checksum", "the checksum is wrong");
    await onFile(new Blob([...whole.blobs, ...whole.latest]), { name: whole.name, size: whole.size });
  });
  client.onChannel(async (channel) => {
    const read = part;
    if (!read) return channel.close();
    const reading = read.isRead.then(() => readChannel(channel, read, take));
    read.isRead = reading;
    await reading;
  }, "file");
}

/** Reads a channel to its end. The first message is the offset; it is outdated if another channel has brought more. */
async function readChannel(channel: P2pChannel, part: Part, take: (part: Part, bytes: Uint8Array) => void): Promise<void> {
  if ((await channel.receive()) === String(part.done)) {
    for await (const message of channel) {
      if (typeof message === "string" || part.done + message.length > part.size) break;
      take(part, message);
    }
  }
  await channel.close();
}
